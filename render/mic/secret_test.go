package mic

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

// TestSecretNeverPrints prints a secret in every way there is, by itself and inside other values, and looks for the key
// and for its HMAC states, from which as much can be signed.
func TestSecretNeverPrints(t *testing.T) {
	const key = "tell-no-one"
	s := NewSecret([]byte(key))
	type holder struct {
		Public  *Secret
		private *Secret
		value   Secret
	}
	h := holder{s, s, *s}

	var out []string
	for _, v := range []any{s, *s, h, &h, []*Secret{s}, []Secret{*s}, map[string]Secret{"a": *s}, errors.Join(fmt.Errorf("x: %v", s))} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%o", "%b", "%c", "%U", "%e", "%t", "%20v", "%p"} {
			out = append(out, verb+" "+fmt.Sprintf(verb, v))
		}
		out = append(out, fmt.Sprint(v), fmt.Sprintln(v))
		if b, err := json.Marshal(v); err == nil {
			out = append(out, string(b))
		}
		for _, handler := range []func(*bytes.Buffer) slog.Handler{
			func(b *bytes.Buffer) slog.Handler { return slog.NewTextHandler(b, nil) },
			func(b *bytes.Buffer) slog.Handler { return slog.NewJSONHandler(b, nil) },
		} {
			var b bytes.Buffer
			slog.New(handler(&b)).Info("m", "v", v, slog.Group("g", "v", v))
			out = append(out, b.String())
		}
	}

	hidden := []string{key, hex.EncodeToString([]byte(key))}
	for _, st := range [][4]uint32{s.Inner().H, s.Outer().H} {
		for _, w := range st {
			hidden = append(hidden, fmt.Sprint(w), fmt.Sprintf("%x", w), fmt.Sprintf("%o", w))
		}
	}
	for _, o := range out {
		for _, x := range hidden {
			if strings.Contains(strings.ToLower(o), x) {
				t.Errorf("printed: %s", o)
			}
		}
	}
	for _, got := range []string{s.String(), fmt.Sprint(s), fmt.Sprintf("%#v", *s), fmt.Sprintf("%x", s), s.LogValue().String()} {
		if got != "[secret]" {
			t.Errorf("prints as %q", got)
		}
	}
	if b, err := json.Marshal(s); err != nil || string(b) != `"[secret]"` {
		t.Errorf("JSON: %s, %v", b, err)
	}
}
