package rotate

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// kill dies at each operation, before it and after, and calls next to continue as another process.
func kill(t *testing.T, double, single int, next func(w *world, dieAt int) bool) {
	for _, after := range []bool{false, true} {
		for dieAt := 1; ; dieAt++ {
			w, fleet := newWorld(t, double, single)
			w.dieAt, w.after = dieAt, after
			err := w.rotate(fleet, Request{})
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

// At whatever step the process dies, resume ends the rotation consistently.
func TestKillResume(t *testing.T) {
	kill(t, 2, 2, func(w *world, dieAt int) bool {
		fleet := []string{"a0", "a1", "x0", "x1"}
		if err := w.again(resume); err != nil {
			t.Error(err)
		}
		fresh := w.consistent(fleet)
		// Once the new secrets are in the keyring, it goes forward.
		state, _, _ := replay(w.journal)
		if state != nil && fresh != (state.Ended == done) {
			t.Errorf("the secrets are new: %v; the journal says %s", fresh, state.Ended)
		}
		return !t.Failed()
	})
}

// At whatever step the process dies, rollback restores the old secrets, unless they are being removed.
func TestKillRollback(t *testing.T) {
	kill(t, 2, 2, func(w *world, dieAt int) bool {
		ended := false
		err := w.again(func(s *Saga) error {
			st := s.Journal.State()
			if ended = st.Ended == done || st.Ending; ended {
				if err := rollback(s); err == nil || !strings.Contains(err.Error(), "its old secrets were removed") {
					t.Error(err)
				}
				return resume(s)
			}
			return rollback(s)
		})
		if err != nil {
			t.Error(err)
		}
		if fresh := w.consistent([]string{"a0", "a1", "x0", "x1"}); fresh != ended {
			t.Errorf("new secrets: %v, ended before: %v", fresh, ended)
		}
		return !t.Failed()
	})
}

// A process that resumes or rolls back dies too, at each of its steps.
func TestKillTwice(t *testing.T) {
	kill(t, 1, 1, func(w *world, dieAt int) bool {
		journal, disk, served := slices.Clone(w.journal), w.disk.Clone(), w.served.Clone()
		boxes := map[string][2][]string{}
		for name, b := range w.cmts {
			boxes[name] = b.ifs
		}
		now := w.now
		for _, finish := range []func(*Saga) error{resume, rollback} {
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
						finish = resume
					}
					w.dieAt, w.after = second, second%2 == 0
					return finish(s)
				})
				if died := w.dead; !died || over {
					if err != nil {
						t.Error(err)
					}
					w.consistent([]string{"a0", "x0"})
					break
				}
				if err := w.again(resume); err != nil {
					t.Error(err)
				}
				w.consistent([]string{"a0", "x0"})
				if t.Failed() {
					t.Logf("died at operation %d, then at %d", dieAt, second)
					return false
				}
			}
		}
		return !t.Failed()
	})
}
