package rotate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"syscall"
	"testing"

	"dcs/cmd/internal/cmts"
)

var errDown = fmt.Errorf("10.0.0.1: %w", cmts.ErrUnreachable)

// failing fails an operation from its nth call on, so many times.
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
		fresh bool   // the new secrets are used
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
			err := w.rotate(fleet, Request{})
			if tt.fails == "" && err != nil || tt.fails != "" && (err == nil || !strings.Contains(err.Error(), tt.fails)) {
				t.Fatalf("error %v, want %q", err, tt.fails)
			}
			state, _, _ := replay(w.journal)
			if open := state != nil && state.Ended == ""; open != tt.open {
				t.Errorf("open: %v, want %v\n%s", open, tt.open, w.journal)
			}
			if fresh := w.served.Default != "main"; fresh != tt.fresh {
				t.Errorf("new secrets: %v, want %v", fresh, tt.fresh)
			}
			for _, v := range w.violated {
				t.Error(v)
			}
			// Once the CMTS works again, resume ends the rotation.
			w.cmts[tt.sick].fail = nil
			if err := w.again(resume); err != nil {
				t.Error(err)
			}
			if fresh := w.consistent(fleet); fresh != (tt.fresh || tt.open) {
				t.Errorf("after resume, new secrets: %v", fresh)
			}
		})
	}
}

// A rollback after a fault restores the old secrets.
func TestFaultsRollback(t *testing.T) {
	for _, op := range []string{"add", "remove"} {
		for _, sick := range []string{"a1", "x0"} {
			w, fleet := newWorld(t, 2, 2)
			w.cmts[sick].fail = failing(errDown, op, 1, forever)
			if err := w.rotate(fleet, Request{}); err == nil {
				t.Fatal("no error")
			}
			w.cmts[sick].fail = nil
			if err := w.again(rollback); err != nil {
				t.Error(op, sick, err)
			}
			if w.consistent(fleet) {
				t.Error(op, sick, "the new secrets stay")
			}
		}
	}
}

func TestServerRefuses(t *testing.T) {
	w, fleet := newWorld(t, 2, 1)
	w.refuse = errors.New("secrets.yaml: permission denied")
	err := w.rotate(fleet, Request{})
	if err == nil || !strings.Contains(err.Error(), "permission denied\neverything was restored") {
		t.Fatal(err)
	}
	w.served = w.disk.Clone() // its generation alone differs
	if w.consistent(fleet) {
		t.Error("new secrets")
	}
}

// A CMTS that takes the new secret without storing it is detected if it can be read.
func TestVerify(t *testing.T) {
	w, fleet := newWorld(t, 2, 0)
	b := w.cmts["a0"]
	b.fail = func(op string) error {
		if op == "verify" && len(b.ifs[1]) == 2 {
			b.ifs = [2][]string{{"old text"}, {"old text"}}
		}
		return nil
	}
	err := w.rotate(fleet, Request{})
	if err == nil || !strings.Contains(err.Error(), "a0: add: does not hold the secret being added (no)\neverything was restored") {
		t.Fatal(err)
	}
	if w.consistent(fleet) {
		t.Error("new secrets")
	}
}

// outage returns a world in which every call of op fails from the nth on, until fail is reset.
func outage(t *testing.T, op string, n int, err error) (*world, []string) {
	w, fleet := newWorld(t, 1, 2)
	w.fail = func(o string) error {
		if o == op {
			if n--; n <= 0 {
				return err
			}
		}
		return nil
	}
	return w, fleet
}

// withoutSecret returns the CMTSes that reject every modem.
func (w *world) withoutSecret() (names []string) {
	for name, b := range w.cmts {
		if len(b.ifs[0]) == 0 || len(b.ifs[1]) == 0 {
			names = append(names, name)
		}
	}
	return names
}

// Whatever stops a rotation but the CMTS itself, no CMTS is left without a secret, and resume and rollback succeed once
// the cause is gone.
func TestOutages(t *testing.T) {
	for _, op := range []string{"append", "save", "load", "reload"} {
		for _, finish := range []struct {
			name string
			do   func(*Saga) error
		}{{"resume", resume}, {"rollback", rollback}} {
			t.Run(op+", "+finish.name, func(t *testing.T) {
				for n := 1; ; n++ {
					w, fleet := outage(t, op, n, syscall.ENOSPC)
					err := w.rotate(fleet, Request{})
					if err == nil {
						return
					}
					if left := w.withoutSecret(); len(left) > 0 {
						t.Errorf("%s failed at call %d: %v left without a secret: %v\n%s", op, n, left, err, w.journal)
					}
					w.fail = nil
					ended := false
					err = w.again(func(s *Saga) error {
						if st := s.Journal.State(); st.Ended != "" || st.Ending {
							ended = true
							return resume(s)
						}
						return finish.do(s)
					})
					if err != nil {
						t.Errorf("%s failed at call %d, then %s: %v", op, n, finish.name, err)
					}
					if op == "reload" && ended {
						w.served = w.disk.Clone() // it was not needed for the end, and its generation alone differs
					}
					if fresh := w.consistent(fleet); !ended && fresh && finish.name == "rollback" {
						t.Error("the new secrets stay")
					}
					if t.Failed() {
						return
					}
				}
			})
		}
	}
}

// An interrupt at any operation leaves no CMTS without a secret.
func TestInterrupt(t *testing.T) {
	for n := 1; ; n++ {
		w, fleet := newWorld(t, 1, 2)
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		w.ctx = ctx
		calls := n
		w.fail = func(string) error {
			if calls--; calls == 0 {
				interrupt()
			}
			return nil
		}
		err := w.rotate(fleet, Request{})
		if ctx.Err() == nil {
			return
		}
		if left := w.withoutSecret(); len(left) > 0 {
			t.Errorf("interrupted at operation %d: %v left without a secret: %v\n%s", n, left, err, w.journal)
		}
		w.fail, w.ctx = nil, nil
		if err := w.again(resume); err != nil {
			t.Error(err)
		}
		if w.consistent(fleet); t.Failed() {
			t.Fatalf("interrupted at operation %d", n)
		}
	}
}
