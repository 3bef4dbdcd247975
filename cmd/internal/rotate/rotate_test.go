package rotate

import (
	"strings"
	"testing"

	"dcs/cmd/internal/keyring"
	"dcs/render/secret"
)

func TestRotate(t *testing.T) {
	w, fleet := newWorld(t, 4, 2)
	if err := w.rotate(fleet, Request{}); err != nil {
		t.Fatal(err)
	}
	if !w.consistent(fleet) || w.disk.Default != "main-20261124" || len(w.disk.Secrets) != 1 || len(w.disk.Holders) != 0 {
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
	if err := w.rotate(fleet, Request{Given: secret.New("given by hand")}); err != nil {
		t.Fatal(err)
	}
	if w.consistent(fleet); w.disk.Default != "main-20261124-2" || w.cmts["a0"].ifs[1][0] != "given by hand" {
		t.Errorf("the keyring: %+v", w.disk)
	}
}

// Another server, which is not notified, may be given the keyring while the rotation drains: it signs with the same secrets as
// in the end. That keyring is one generation older, and still has the old secret.
func TestRotateSecondServer(t *testing.T) {
	w, fleet := newWorld(t, 3, 2)
	if err := w.rotate(fleet, Request{}); err != nil {
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
	if err := w.rotate(fleet, Request{}); err != nil {
		t.Fatal(err)
	}
	w.violated = nil // no server signs
	if !w.consistent(fleet) {
		t.Error("nothing was rotated")
	}
}

// Part of the fleet gets new secrets; CMTSes with different ones get different successors.
func TestRotateSome(t *testing.T) {
	w, fleet := newWorld(t, 3, 2)
	w.disk.Secrets["north"] = keyring.Source{Text: secret.New("north text")}
	w.disk.Holders["a1"], w.disk.Holders["x1"] = "north", "north"
	north := [2][]string{{"north text"}, {"north text"}}
	w.cmts["a1"].ifs, w.cmts["x1"].ifs = north, north
	w.served = w.disk.Clone()
	if err := w.rotate(fleet, Request{CMTS: []string{"a0", "a1"}}); err != nil {
		t.Fatal(err)
	}
	w.consistent(fleet)
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

// A secret that is added by hand under the name of the new one, between the plan and its confirmation, is not removed.
func TestRotateNameTaken(t *testing.T) {
	for _, died := range []bool{false, true} {
		w, fleet := newWorld(t, 1, 1)
		s := w.start(nil)
		sv, err := s.Survey(t.Context(), w.disk, fleet, Request{Drain: drain, CMTS: fleet[:1]})
		if err != nil {
			t.Fatal(err)
		}
		name := sv.Plan.CMTS[0].New
		if died { // of two that the plan has, one is there
			sv.Plan.CMTS = append(sv.Plan.CMTS, Change{Name: "x0", Old: "main", New: "another", Slots: 1})
		}
		w.disk.Secrets[name] = keyring.Source{Text: secret.New("by hand")}
		if s.Journal, err = Begin(w, sv.Plan, s.Now); err != nil {
			t.Fatal(err)
		}
		if died {
			err = w.again(resume)
		} else if err = s.Begin(t.Context(), sv.New); err == nil || !strings.Contains(err.Error(), "was added to the keyring") {
			t.Error(err)
		} else {
			err = nil
		}
		if state, _, _ := replay(w.journal); err != nil || state == nil || state.Ended != undone {
			t.Errorf("the journal has not ended: %v\n%s", err, w.journal)
		}
		if got := w.disk.Secrets[name].Text.Reveal(); got != "by hand" {
			t.Errorf("the secret that was added by hand is %q", got)
		}
	}
}
