package rotate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dcs/render/secret"
)

func TestSurvey(t *testing.T) {
	w, fleet := newWorld(t, 2, 1)
	w.cmts["x0"].maxLen = 12
	w.cmts["a0"].ifs[1] = []string{"old text", "another"}
	s := w.start(nil)
	sv, err := s.Survey(context.Background(), w.disk, fleet, Request{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sv.New["main-20261124"].Reveal()); n != 12 || sv.Lengths != 12 {
		t.Errorf("a secret of %d characters", n)
	}
	want := "[{both slots are in use; the new secret overwrites the second one [a0]} {accepts at most 12 characters, so all new secrets have that length [x0]}]"
	if got := fmt.Sprint(sv.Notes); got != want {
		t.Errorf("notes: %s", got)
	}
	for _, tt := range []struct {
		req  Request
		do   func()
		want string
	}{
		{Request{CMTS: []string{"nobody"}}, nil, "nobody: no such CMTS in the fleet"},
		{Request{CMTS: []string{"a0", "a0"}}, nil, "a0: given twice"},
		{Request{CMTS: []string{}}, nil, "no CMTS given"},
		{Request{Given: secret.New("longer than twelve")}, nil, "x0: check: 18 characters are too many"},
		{Request{Given: secret.New("old text")}, nil, "a1: check: already holds this secret"},
		{Request{}, func() { w.cmts["a0"].ifs = [2][]string{{"foreign"}, {"foreign"}} }, `a0: ask: does not hold "main", the secret that the keyring says (no)`},
		{Request{}, func() { w.cmts["x0"].maxLen = 7 }, "x0 accepts at most 7 characters"},
	} {
		if tt.do != nil {
			tt.do()
		}
		if _, err := s.Survey(context.Background(), w.disk, fleet, tt.req); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
		w.cmts["a0"].ifs = [2][]string{{"old text"}, {"old text"}}
	}
	// A CMTS that is not as the keyring says does not hide the others.
	w.cmts["a0"].ifs, w.cmts["x0"].maxLen = [2][]string{{"foreign"}, {"foreign"}}, 12
	sv, err = s.Survey(context.Background(), w.disk, fleet, Request{})
	if err == nil || sv == nil || len(sv.Plan.CMTS) != len(fleet) || len(sv.Failed) != 1 || sv.Failed["a0"] == nil || sv.Lengths != 12 {
		t.Errorf("%v: %+v", err, sv)
	}
}

func TestGenerate(t *testing.T) {
	seen := map[rune]int{}
	for range 2000 {
		for _, r := range generate(31).Reveal() {
			seen[r]++
		}
	}
	// 1000 of each are expected; 6 standard deviations are 190.
	if len(seen) != 62 {
		t.Errorf("%d different characters", len(seen))
	}
	for r, n := range seen {
		if n < 800 || n > 1200 {
			t.Errorf("%c: %d times of 1000", r, n)
		}
	}
}
