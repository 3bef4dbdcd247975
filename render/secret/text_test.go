package secret

import (
	"encoding/json"
	"fmt"
	"log/slog"
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
