package rotate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/keyring"
	"dcs/render/secret"
)

func TestRotate(t *testing.T) {
	w, fleet := newWorld(t, 4, 2)
	if err := w.rotate(fleet, Wish{}); err != nil {
		t.Fatal(err)
	}
	if !w.settled(fleet) || w.disk.Default != "main-20261124" || len(w.disk.Secrets) != 1 || len(w.disk.Holders) != 0 {
		t.Errorf("the keyring: %+v", w.disk)
	}
	if len(w.windows) != 2 {
		t.Errorf("windows: %v", w.windows)
	}
	text := w.disk.Secrets["main-20261124"].Text.Reveal()
	if len(text) != 32 || w.disk.Secrets["main-20261124"].Since != 2 {
		t.Errorf("a secret of %d characters since %d", len(text), w.disk.Secrets["main-20261124"].Since)
	}
	if j := string(w.journal); strings.Contains(j, text) || strings.Contains(j, "old text") {
		t.Error("the journal has a secret")
	}
	// And once more, the same day.
	if err := w.rotate(fleet, Wish{Given: secret.New("given by hand")}); err != nil {
		t.Fatal(err)
	}
	if w.settled(fleet); w.disk.Default != "main-20261124-2" || w.cmts["a0"].ifs[1][0] != "given by hand" {
		t.Errorf("the keyring: %+v", w.disk)
	}
}

// Another server, which nobody tells, may be given the keyring while the rotation drains: that signs as it does in the end.
// But it is a generation before that, which no longer has the old secret.
func TestRotateSecondServer(t *testing.T) {
	w, fleet := newWorld(t, 3, 2)
	if err := w.rotate(fleet, Wish{}); err != nil {
		t.Fatal(err)
	}
	for _, name := range fleet {
		then, err := w.drained.Reveal(w.drained.Holds(name))
		if err != nil {
			t.Fatal(err)
		}
		if now, err := w.disk.Reveal(w.disk.Holds(name)); err != nil || now.Reveal() != then.Reveal() {
			t.Errorf("%s: another secret than while it drained, %v", name, err)
		}
	}
	if w.drained.Generation+1 != w.disk.Generation || len(w.drained.Secrets) != 2 || len(w.disk.Secrets) != 1 {
		t.Errorf("generation %d with %d secrets, then %d with %d", w.drained.Generation, len(w.drained.Secrets), w.disk.Generation, len(w.disk.Secrets))
	}
}

// Without a server the keyring is changed for the next start.
func TestRotateWithoutServer(t *testing.T) {
	w, fleet := newWorld(t, 2, 1)
	w.serverUp = false
	if err := w.rotate(fleet, Wish{}); err != nil {
		t.Fatal(err)
	}
	w.violated = nil // nobody signs
	if !w.settled(fleet) {
		t.Error("nothing was rotated")
	}
}

// A part of the fleet gets secrets of its own; CMTSes with different ones keep them apart.
func TestRotateSome(t *testing.T) {
	w, fleet := newWorld(t, 3, 2)
	w.disk.Secrets["north"] = keyring.Source{Text: secret.New("north text")}
	w.disk.Holders["a1"], w.disk.Holders["x1"] = "north", "north"
	north := [2][]string{{"north text"}, {"north text"}}
	w.cmts["a1"].ifs, w.cmts["x1"].ifs = north, north
	w.served = w.disk.Clone()
	if err := w.rotate(fleet, Wish{CMTS: []string{"a0", "a1"}}); err != nil {
		t.Fatal(err)
	}
	w.settled(fleet)
	want := map[string]string{"a0": "main-20261124", "a1": "north-20261124", "a2": "main", "x0": "main", "x1": "north"}
	for name, secret := range want {
		if got := w.disk.Holds(name); got != secret {
			t.Errorf("%s has %s, want %s", name, got, secret)
		}
	}
	if w.disk.Default != "main" {
		t.Errorf("the default is %s", w.disk.Default)
	}
}

// kill dies at each operation, before it and after, and has a next process do what it will.
func kill(t *testing.T, double, single int, next func(w *world, dieAt int) bool) {
	for _, after := range []bool{false, true} {
		for dieAt := 1; ; dieAt++ {
			w, fleet := newWorld(t, double, single)
			w.dieAt, w.after = dieAt, after
			err := w.rotate(fleet, Wish{})
			if !w.dead {
				if err != nil {
					t.Fatal(err)
				}
				t.Logf("%d operations", w.ops)
				break
			}
			if !next(w, dieAt) {
				t.Fatalf("died at operation %d (after it: %v)\n%s", dieAt, after, w.journal)
			}
		}
	}
}

// At whichever step the process dies, resume comes to a consistent end.
func TestKillResume(t *testing.T) {
	kill(t, 2, 2, func(w *world, dieAt int) bool {
		fleet := []string{"a0", "a1", "x0", "x1"}
		if err := w.again(resume); err != nil {
			t.Error(err)
		}
		fresh := w.settled(fleet)
		// Once the new secrets are in the keyring, it goes forward.
		state, _, _ := Replay(w.journal)
		if state != nil && fresh != (state.Ended == done) {
			t.Errorf("the secrets are new: %v; the journal says %s", fresh, state.Ended)
		}
		return !t.Failed()
	})
}

// At whichever step the process dies, rollback brings all back, unless all was done.
func TestKillRollback(t *testing.T) {
	kill(t, 2, 2, func(w *world, dieAt int) bool {
		ended := false
		err := w.again(func(s *Saga) error {
			st := s.Journal.State()
			if ended = st.Ended == done || st.Ending; ended {
				if err := rollback(s); err == nil || !strings.Contains(err.Error(), "its old secrets are gone") {
					t.Error(err)
				}
				return resume(s)
			}
			return rollback(s)
		})
		if err != nil {
			t.Error(err)
		}
		if fresh := w.settled([]string{"a0", "a1", "x0", "x1"}); fresh != ended {
			t.Errorf("new secrets: %v, ended before: %v", fresh, ended)
		}
		return !t.Failed()
	})
}

// Those who resume or roll back die too, at each of their steps.
func TestKillTwice(t *testing.T) {
	kill(t, 1, 1, func(w *world, dieAt int) bool {
		journal, disk, served := slices.Clone(w.journal), w.disk.Clone(), w.served.Clone()
		boxes := map[string][2][]string{}
		for name, b := range w.cmts {
			boxes[name] = b.ifs
		}
		now := w.now
		for _, way := range []func(*Saga) error{resume, rollback} {
			for second := 1; ; second++ {
				w.journal, w.disk, w.served, w.now = slices.Clone(journal), disk.Clone(), served.Clone(), now
				w.grace = map[string]map[string]time.Time{}
				for name, b := range w.cmts {
					b.ifs = boxes[name]
				}
				over := false
				err := w.again(func(s *Saga) error {
					if over = s.Journal.State().Ended != ""; over {
						return nil
					}
					if s.Journal.State().Ending {
						way = resume
					}
					w.dieAt, w.after = second, second%2 == 0
					return way(s)
				})
				if died := w.dead; !died || over {
					if err != nil {
						t.Error(err)
					}
					w.settled([]string{"a0", "x0"})
					break
				}
				if err := w.again(resume); err != nil {
					t.Error(err)
				}
				w.settled([]string{"a0", "x0"})
				if t.Failed() {
					t.Logf("died at operation %d, then at %d", dieAt, second)
					return false
				}
			}
		}
		return !t.Failed()
	})
}

var errDown = fmt.Errorf("10.0.0.1: %w", cmts.ErrUnreachable)

// failing makes a CMTS fail at an operation from its nth on, m times.
func failing(err error, op string, from, times int) func(string) error {
	n := 0
	return func(o string) error {
		if o != op && op != "" {
			return nil
		}
		n++
		if n >= from && n < from+times {
			return err
		}
		return nil
	}
}

const forever = 1 << 30

func TestFaults(t *testing.T) {
	dialogue := errors.New("% Invalid input detected")
	tests := []struct {
		name  string
		sick  string
		fail  func(string) error
		fails string // part of the error; empty: none
		fresh bool   // the new secrets stay
		open  bool   // the journal waits for resume
	}{
		{"unreachable before", "a1", failing(errDown, "", 1, forever), "a1: ask: 10.0.0.1: unreachable", false, false},
		{"unreachable once", "a1", failing(errDown, "add", 1, 1), "", true, false},
		{"unreachable during", "a1", failing(errDown, "add", 1, forever), "a1: add: 10.0.0.1: unreachable", false, true},
		{"unreachable when verified", "a1", failing(errDown, "verify", 3, forever), "a1: add: 10.0.0.1: unreachable", false, true},
		{"unreachable after", "a1", failing(errDown, "remove", 1, forever), "a1: remove: 10.0.0.1: unreachable", true, true},
		{"one slot, unreachable before the switch", "x0", failing(errDown, "verify", 3, forever), "x0: ask: 10.0.0.1: unreachable", false, true},
		{"denied", "a1", failing(cmts.ErrDenied, "add", 1, forever), "a1: add: denied\neverything was restored", false, false},
		{"dialogue", "a1", failing(dialogue, "add", 1, forever), "a1: add: % Invalid input detected\neverything was restored", false, false},
		{"dialogue once", "a1", failing(dialogue, "add", 1, 1), "", true, false},
		{"one slot, dialogue at removal", "x0", failing(dialogue, "remove", 1, 2), "x0: remove: % Invalid input", true, true},
		{"one slot, dialogue", "x0", failing(dialogue, "add", 1, 2), "x0: add: % Invalid input", true, true},
		{"one slot, gone", "x0", failing(errDown, "add", 1, 4), "may be without a secret", true, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w, fleet := newWorld(t, 3, 2)
			w.cmts[tt.sick].fail = tt.fail
			err := w.rotate(fleet, Wish{})
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Fatalf("error %v, want %q", err, tt.fails)
			}
			state, _, _ := Replay(w.journal)
			if open := state != nil && state.Ended == ""; open != tt.open {
				t.Errorf("open: %v, want %v\n%s", open, tt.open, w.journal)
			}
			if fresh := w.served.Default != "main"; fresh != tt.fresh {
				t.Errorf("new secrets: %v, want %v", fresh, tt.fresh)
			}
			for _, v := range w.violated {
				t.Error(v)
			}
			// Whoever is well again is brought to the end of it.
			w.cmts[tt.sick].fail = nil
			if err := w.again(resume); err != nil {
				t.Error(err)
			}
			if fresh := w.settled(fleet); fresh != (tt.fresh || tt.open) {
				t.Errorf("after resume, new secrets: %v", fresh)
			}
		})
	}
}

// A fault with resume or rollback at hand: both end well.
func TestFaultsRollback(t *testing.T) {
	for _, op := range []string{"add", "remove"} {
		for _, sick := range []string{"a1", "x0"} {
			w, fleet := newWorld(t, 2, 2)
			w.cmts[sick].fail = failing(errDown, op, 1, forever)
			if err := w.rotate(fleet, Wish{}); err == nil {
				t.Fatal("no error")
			}
			w.cmts[sick].fail = nil
			if err := w.again(rollback); err != nil {
				t.Error(op, sick, err)
			}
			if w.settled(fleet) {
				t.Error(op, sick, "the new secrets stay")
			}
		}
	}
}

func TestServerRefuses(t *testing.T) {
	w, fleet := newWorld(t, 2, 1)
	w.refuse = errors.New("secrets.yaml: permission denied")
	err := w.rotate(fleet, Wish{})
	if err == nil || !strings.Contains(err.Error(), "permission denied\neverything was restored") {
		t.Fatal(err)
	}
	w.served = w.disk.Clone() // its generation alone differs
	if w.settled(fleet) {
		t.Error("new secrets")
	}
}

// A CMTS that says that it has the new secret and has not is found out where it can be read.
func TestVerify(t *testing.T) {
	w, fleet := newWorld(t, 2, 0)
	b := w.cmts["a0"]
	b.fail = func(op string) error {
		if op == "verify" && len(b.ifs[1]) == 2 {
			b.ifs = [2][]string{{"old text"}, {"old text"}}
		}
		return nil
	}
	err := w.rotate(fleet, Wish{})
	if err == nil || !strings.Contains(err.Error(), "a0: add: it does not hold the secret that it was given (no)\neverything was restored") {
		t.Fatal(err)
	}
	if w.settled(fleet) {
		t.Error("new secrets")
	}
}

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

func TestJournalFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "journal")
	clock := func() time.Time { return time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC) }
	f, err := CreateJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	plan := Plan{ID: "1", CMTS: []Change{{Name: "a", Old: "o", New: "n", Slots: 2}}}
	j, err := Begin(f, plan, clock)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.write(record{CMTS: "a", Step: "adding", Old: Yes, New: Maybe}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatal(info.Mode(), err)
	}
	// A line that was being written.
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, append(slices.Clone(whole), `{"at":"20`...), 0o600); err != nil {
		t.Fatal(err)
	}
	f, state, err := OpenJournal(path)
	if err != nil || state.CMTS["a"].New != Maybe {
		t.Fatal(state, err)
	}
	if err := Continue(f, state, clock).write(record{Phase: undone}); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if state, err := ReadJournal(path); err != nil || state.Ended != undone {
		t.Errorf("%+v, %v", state, err)
	}
	// The next one keeps it aside.
	if f, err = CreateJournal(path); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if state, err := ReadJournal(path + ".old"); err != nil || state.Ended != undone {
		t.Errorf("%+v, %v", state, err)
	}
	for src, want := range map[string]string{
		"{}\n":                                "line 1: the plan is missing",
		"garbage\n":                           "line 1 is damaged",
		string(whole) + "{\"phase\":\"x\"}\n": `line 3: phase "x" is unknown`,
		string(whole) + "{\"cmts\":\"b\"}\n":  `line 3: "b" is not in its plan`,
	} {
		if _, _, err := Replay([]byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	l, err := Acquire(path, "rotating", now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(path, "rotating", now)
	var locked *LockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() || locked.Holder.User == "" || !locked.Holder.Since.Equal(now) {
		t.Fatalf("%v", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if h := Held(path); h == nil || h.Doing != "rotating" {
		t.Errorf("%+v", h)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if h := Held(path); h != nil {
		t.Errorf("%+v", h)
	}
	if l, err = Acquire(path, "again", now); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}
