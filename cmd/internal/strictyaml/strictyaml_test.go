package strictyaml

import (
	"errors"
	"reflect"
	"testing"
)

type value struct {
	Text  string            `yaml:"text"`
	Maybe *string           `yaml:"maybe"`
	Line  line              `yaml:"line"`
	Map   map[string]string `yaml:"map"`
	List  []string          `yaml:"list"`
	Int   int               `yaml:"int"`
	Bool  *bool             `yaml:"bool"`
	Inner *value            `yaml:"inner"`
}

type line struct {
	Send string `yaml:"send"`
}

func (l *line) UnmarshalYAML(decode func(any) error) error {
	if decode(&l.Send) == nil {
		return nil
	}
	type plain line
	return decode((*plain)(l))
}

func TestDecode(t *testing.T) {
	text, yes := "0123", true
	for _, tt := range []struct {
		src  string
		want value
	}{
		{"", value{}},
		{"---\n# nothing\n", value{}},
		{"text: 0123", value{Text: "0123"}},
		{"text: 0123 # an octal number", value{Text: "0123"}},
		{"text: !!str 0123", value{Text: "0123"}},
		{"text: &a 0123\nmaybe: *a", value{Text: "0123", Maybe: &text}},
		{"int: &a 010\ntext: *a", value{Int: 8, Text: "010"}},
		{"text: |-\n  0123\n", value{Text: "0123"}},
		{"text: 0123\n  0x1F\n", value{Text: "0123 0x1F"}},
		{"text: .inf", value{Text: ".inf"}},
		{"text: \"\\xff\"", value{Text: "ÿ"}},
		{"text: \"a\tb\"", value{Text: "a\tb"}},
		{"text: \ufffd", value{Text: "\ufffd"}},
		{"text: ~\nmaybe: null", value{}},
		{"maybe: 0123", value{Maybe: &text}},
		{"line: 0123", value{Line: line{"0123"}}},
		{"line: {send: 0123}", value{Line: line{"0123"}}},
		{"map: {010: 1.50, ~: 1, True: null, ? 0x1F : 2}", value{Map: map[string]string{"010": "1.50", "~": "1", "True": "", "0x1F": "2"}}},
		{"map: {8: a, 010: b}", value{Map: map[string]string{"8": "a", "010": "b"}}},
		{"list: [0123, no, 1_000]", value{List: []string{"0123", "no", "1_000"}}},
		{"inner: &i {text: 007, int: 0x10}\nlist: []", value{Inner: &value{Text: "007", Int: 16}, List: []string{}}},
		{"inner: {<<: {text: 007}, int: 1_000, bool: True}", value{Inner: &value{Text: "007", Int: 1000, Bool: &yes}}},
	} {
		var got value
		if err := Decode([]byte(tt.src), &got); err != nil || !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%q: %+v, %v, want %+v", tt.src, got, err, tt.want)
		}
	}
}

func TestErrors(t *testing.T) {
	const syntax = "YAML syntax error"
	const tab = "tab in an unquoted text; put the text in quotes"
	for _, tt := range []struct {
		src          string
		line, column int
		safe         string
	}{
		{"text: x\nword: x", 2, 1, "unknown field"},
		{"010: x", 1, 1, "unknown field"},
		{"text: x\ntext: word", 2, 1, "duplicate key"},
		{"map: {\"010\": x, 010: word}", 1, 17, "duplicate key"},
		{"text: *word", 1, 8, syntax},
		{"text: \"word", 1, 7, syntax},
		{"text: [word]", 1, 7, "cannot unmarshal []interface {} into Go struct field value.Text of type string"},
		{"int: word", 1, 6, "cannot unmarshal string into Go struct field value.Int of type int"},
		{"int: 99999999999999999999", 1, 6, "number too large"},
		{"inner: word", 1, 8, "string was used where mapping is expected"},
		{"text: !!binary d29yZA==", 1, 7, "unsupported tag; put a text in quotes"},
		{"text: wo\trd", 1, 7, tab},
		{"int: 1\t2", 1, 6, tab},
		{"map: {wo\trd: x}", 1, 7, tab},
		{"text: x\n---\ntext: word", 3, 5, "second document; use a single document"},
		{"text: é\xffword", 1, 8, "not UTF-8; save the file as UTF-8"},
		{"# \ufffd\n# \xe9", 2, 3, "not UTF-8; save the file as UTF-8"},
	} {
		var got value
		err := Decode([]byte(tt.src), &got)
		var e *Error
		if !errors.As(err, &e) || e.Line != tt.line || e.Column != tt.column || e.Safe != tt.safe {
			t.Errorf("%q: %v, %+v", tt.src, err, e)
		}
	}
}
