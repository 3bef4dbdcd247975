package rotate

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"dcs/render/secret"
)

func TestTakeStock(t *testing.T) {
	w, fleet := newWorld(t, 2, 1)
	w.cmts["x0"].maxLen = 12
	w.cmts["a0"].ifs[1] = []string{"old text", "another"}
	s := w.start(nil)
	sv, err := s.TakeStock(context.Background(), w.disk, fleet, Wish{})
	if err != nil {
		t.Fatal(err)
	}
	if n := len(sv.New["main-20261124"].Reveal()); n != 12 || sv.Lengths != 12 {
		t.Errorf("a secret of %d characters", n)
	}
	want := "[{both slots are filled; the second secret gives way to the new one [a0]} {it takes no more than 12 characters, so new secrets have as many [x0]}]"
	if got := fmt.Sprint(sv.Notes); got != want {
		t.Errorf("notes: %s", got)
	}
	for _, tt := range []struct {
		wish Wish
		do   func()
		want string
	}{
		{Wish{CMTS: []string{"nobody"}}, nil, "nobody: the fleet has no CMTS of this name"},
		{Wish{CMTS: []string{"a0", "a0"}}, nil, "a0 is named twice"},
		{Wish{CMTS: []string{}}, nil, "no CMTS was named"},
		{Wish{Given: secret.New("longer than twelve")}, nil, "x0: check: 18 characters are too many"},
		{Wish{Given: secret.New("old text")}, nil, "a1: check: it holds this very secret already"},
		{Wish{}, func() { w.cmts["a0"].ifs = [2][]string{{"foreign"}, {"foreign"}} }, `a0: ask: the keyring says that it holds "main"; it does not (no)`},
		{Wish{}, func() { w.cmts["x0"].maxLen = 7 }, "x0 takes no secret longer than 7"},
	} {
		if tt.do != nil {
			tt.do()
		}
		if _, err := s.TakeStock(context.Background(), w.disk, fleet, tt.wish); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%v, want %q", err, tt.want)
		}
		w.cmts["a0"].ifs = [2][]string{{"old text"}, {"old text"}}
	}
	// One that is not as the keyring says hides none of the others.
	w.cmts["a0"].ifs, w.cmts["x0"].maxLen = [2][]string{{"foreign"}, {"foreign"}}, 12
	sv, err = s.TakeStock(context.Background(), w.disk, fleet, Wish{})
	if err == nil || sv == nil || len(sv.Plan.CMTS) != len(fleet) || len(sv.Failed) != 1 || sv.Failed["a0"] == nil || sv.Lengths != 12 {
		t.Errorf("%v: %+v", err, sv)
	}
}

func TestGenerate(t *testing.T) {
	seen := map[rune]int{}
	for range 2000 {
		for _, r := range Generate(31).Reveal() {
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
