package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTextNeverShows(t *testing.T) {
	const password = "correct horse"
	s := New(password)
	type holder struct {
		Public  Text
		private Text
		pointer *Text
	}
	h := holder{s, s, &s}
	var log strings.Builder
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "a", s, "b", h, "c", &h)
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "a", s, "b", h, "c", &h)
	j, err := json.Marshal([]any{s, &s, h, map[string]any{"a": s}})
	if err != nil {
		t.Fatal(err)
	}
	all := []string{log.String(), string(j)}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%p", "%T"} {
		all = append(all, fmt.Sprintf(verb, s), fmt.Sprintf(verb, &s), fmt.Sprintf(verb, h), fmt.Sprintf(verb, &h), fmt.Sprintf(verb, []Text{s}))
	}
	for _, text := range all {
		if strings.Contains(text, password) || strings.Contains(text, fmt.Sprintf("%x", password)) {
			t.Errorf("%q shows it", text)
		}
	}
	if s.Reveal() != password || !s.Equal(New(password)) || s.Equal(New("another")) || s.IsZero() || !New("").IsZero() {
		t.Error("it does not hold what it was made of")
	}
}

// What editors add to a secret is told, and nothing else.
func TestOddity(t *testing.T) {
	for text, want := range map[string]string{
		"\ufeffkey": "byte order mark", "\xff\xfek\x00": "UTF-16", "\xfe\xff\x00k": "UTF-16", "key ": "ends in a blank", "key\t": "ends in a blank",
		" key": "begins with a blank", "\nkey": "begins with a blank", "key\n": "ends in an empty line", "key\r": "ends in an empty line",
		"key": "", "": "", "a key": "", "\xffkey": "", "k\ufeff": "",
	} {
		if got := Oddity(text); !strings.Contains(got, want) || (got == "") != (want == "") {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

// A password is refused for a byte order mark alone, whatever letters and blanks it has.
func TestReadTextMarked(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for _, tt := range []struct{ file, want, refused string }{
		{"\ufeffkey\n", "", "byte order mark"},
		{"\xff\xfek\x00", "", "UTF-16"},
		{"\xfe\xff\x00k", "", "UTF-16"},
		{"\u00e9t\u00e9 \n", "\u00e9t\u00e9 ", ""},
		{"\u00e9t\u00e9\t", "\u00e9t\u00e9\t", ""},
		{"\xe9t\xe9\n\n", "\xe9t\xe9\n", ""},
		{" key\n", " key", ""},
	} {
		if err := os.WriteFile(path, []byte(tt.file), 0o600); err != nil {
			t.Fatal(err)
		}
		text, err := ReadText("password_file", path)
		if text.Reveal() != tt.want || (err == nil) != (tt.refused == "") || err != nil && !strings.Contains(err.Error(), tt.refused) {
			t.Errorf("%q: %q, %v", tt.file, text.Reveal(), err)
		}
	}
}
