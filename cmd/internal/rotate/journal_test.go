package rotate

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

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
	// An incomplete line.
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
	// The next one renames it.
	if f, err = CreateJournal(path); err != nil {
		t.Fatal(err)
	}
	f.Close()
	if state, err := ReadJournal(path + ".old"); err != nil || state.Ended != undone {
		t.Errorf("%+v, %v", state, err)
	}
	for src, want := range map[string]string{
		"{}\n":                                "line 1: no plan",
		"garbage\n":                           "line 1: damaged",
		string(whole) + "{\"phase\":\"x\"}\n": `line 3: unknown phase "x"`,
		string(whole) + "{\"cmts\":\"b\"}\n":  `line 3: CMTS "b" is not in the plan`,
	} {
		if _, _, err := replay([]byte(src)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// lines is an Appender in memory.
type lines []byte

func (l *lines) Append(line []byte) error {
	*l = append(*l, line...)
	return nil
}

// The drain and the time for which a CMTS rejects modems are measured with the monotonic clock, as the wall clock may be set.
func TestJournalClock(t *testing.T) {
	var out lines
	j, err := Begin(&out, Plan{CMTS: []Change{{Name: "a"}}}, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	if err := j.write(record{Phase: switched}); err != nil {
		t.Fatal(err)
	}
	if err := j.write(record{CMTS: "a", Window: true}); err != nil {
		t.Fatal(err)
	}
	for what, at := range map[string]time.Time{"switched": j.State().Switched, "window": j.State().CMTS["a"].Open} {
		if !strings.Contains(at.String(), " m=") { // time.Time.String
			t.Errorf("%s at %v: without a monotonic reading", what, at)
		}
	}
	if state, _, err := replay(out); err != nil || !state.Switched.Equal(j.State().Switched.Round(0)) || state.Switched.Location() != time.UTC {
		t.Errorf("%+v, %v", state, err)
	}
}
