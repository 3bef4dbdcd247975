package reason

import (
	"strings"
	"testing"
)

// The formula and the ids are those that logs of modems show beside each other.
func TestEventID(t *testing.T) {
	for name, want := range map[string]int{
		"D05.0": 68000500, "D08.0": 68000800, "I04.2": 73000402, "I117.0": 73011700, "I401.0": 73040100, "I403.0": 73040300, "T01.0": 84000100, "R02.0": 82000200, "R08.0": 82000800,
		"I201.16": 73020116,
	} {
		m := eventText.FindStringSubmatch(name)
		w, err := Parse(name)
		if m == nil || err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if eventName(want) != name {
			t.Errorf("%d is %s, not %s", want, eventName(want), name)
		}
		if id, err := Parse(w.Text[strings.Index(w.Text, "(")+1 : len(w.Text)-1]); err != nil || id.Text != w.Text {
			t.Errorf("%s: %q, by its number %q, %v", name, w.Text, id.Text, err)
		}
		if !strings.Contains(w.Text, name) {
			t.Errorf("%s is called %q", name, w.Text)
		}
	}
	if got := EventID('I', 403, 0); got != 73040300 {
		t.Errorf("I403.0 is %d", got)
	}
}

func TestParse(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"reject(m)", "reject(m)"},
		{"  Reject ( C )", "reject(c)"},
		{"!reject(pk)", "reject(pk)"},
		{"rejectm", "reject(m)"},
		{"rejectBadCos(9)", "reject(c)"},
		{"rejClassFail", "reject(c)"},
		{"CDX 8", "reject(m)"},
		{"cdx(19)", "reject(ts)"},
		{"cdxCmtsCmStatusValue: 20", "reject(ip)"},
		{"cdxCmtsCmStatusValue = 24", "expire(pt)"},
		{"rejRegNack(22)", "reject(na)"},
		{"init(io)", "init(d)"},
		{"init(a)", "init(i)"},
		{"ipComplete", "init(i)"},
		{"w-online(d)", "online(d)"},
		{"online(ptd)", "online(d)"},
		{"online(pt)", "online"},
		{"p-online(pt)", "p-online"},
		{"forwardingDisabled", "online(d)"},
		{"docsDevServerBootState 6", "init(o)"},
		{"docsDevServerBootState(7)", "accessDenied"},
		{"docsDevServerBootState 8", "online(d)"},
		{"CmRegState 10", "configFileDownloadComplete"},
		{"docsIfCmtsCmStatusValue 7", "accessDenied"},
		{"cc(r2)", "cc(r1)"},
		{"205", "confirmation code 205"},
		{"code 8", "confirmation code 8"},
		{"confirmation code 18", "confirmation code 18"},
		{"BPKM 6", "BPKM error 6"},
		{"bpkm error code 9", "BPKM error 9"},
		{"I403", "event I403"},
		{"d08.0", "event D08.0 (68000800)"},
		{"73040300", "event I403.0 (73040300)"},
		{"%UBR7200-4-REGISTRATION_BEFORE_TFTP: <68000500> x", "event D05.0 (68000500)"},
		{"%UBR7200-4-REGISTRATION_BEFORE_TFTP: 0010.18de.ad01", "REGISTRATION_BEFORE_TFTP"},
		{"%UBR7200-5-CLASSFAIL: Registration failed", "CLASSFAIL"},
		{"failConfigFileError(3)", "failConfigFileError"},
		{"MTA 4", "passWithWarnings"},
		{"TFTP Error in Config File", "TFTP error in config file"},
		{"E102", "event E102"},
		{"T3", "init(r2)"},
	} {
		if w, err := Parse(tt.text); err != nil || w.Text != tt.want {
			t.Errorf("%q is %q, %v; want %q", tt.text, w.Text, err, tt.want)
		}
	}
}

func TestParseUnknown(t *testing.T) {
	for _, tt := range []struct{ text, want string }{
		{"", "unknown word; use one of offline,"},
		{"rejct(c)", "similar ones are reject(c)"},
		{"onlin(d)", "online(d)"},
		{"the weather in spring is far from settled", "unknown word; use one of"},
		{"60", "no meaning is known; codes are 0 to 49"},
		{"256", "a confirmation code is 0 to 255"},
		{"-1", "a confirmation code is 0 to 255"},
		{"X12.0", "events begin with D, E, I, R, T or U"},
		{"I999", "no meaning is known"},
		{"BPKM 11", "codes are 0 to 10"},
		{"CDX 99", "there are 1, 3, 4"},
		{"99999999999999999999", "unknown word"},
		{strings.Repeat("ä", 500), "unknown word"},
	} {
		w, err := Parse(tt.text)
		if err == nil || !strings.Contains(err.Error(), tt.want) || len(err.Error()) > 1200 {
			t.Errorf("%.30q: %q, %v; want an error with %q", tt.text, w.Text, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"reject(c)", "<73040300>", "CDX 9", "I403.0", "(1)", "%A-1-B"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if w, err := Parse(s); (err == nil) == (w.Text == "") {
			t.Errorf("%q: %q, %v", s, w.Text, err)
		}
	})
}
