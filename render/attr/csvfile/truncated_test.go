package csvfile

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
)

// A file that has become truncated since the last load is held back.
func TestTruncated(t *testing.T) {
	const full = "mac,profile,down\n0a0102030405,gold,1000\n0a0102030406,gold,1000900\n"
	for name, tc := range map[string]struct {
		before, now string
		heldBack    string // text of the error; empty: it is loaded
		fails       string // text of another error
	}{
		"cut in a value":                 {before: full, now: strings.TrimSuffix(full, "00900\n"), heldBack: "truncated"},
		"cut between rows, its LF, too":  {before: full, now: "mac,profile,down\n0a0102030405,gold,1000", heldBack: "has shrunk from"},
		"cut after a row":                {before: full, now: "mac,profile,down\n0a0102030405,gold,1000\n"}, // the guard counts
		"cut in the header":              {before: full, now: "mac,prof", heldBack: "truncated"},
		"cut between CR and LF":          {before: full, now: "mac,profile,down\r\n0a0102030405,gold,1\r", heldBack: "truncated"},
		"emptied":                        {before: full, now: "", heldBack: "truncated"},
		"cut in a quoted value":          {before: full, now: "mac,profile,down\n0a0102030405,\"go", heldBack: "truncated"},
		"grown, and cut in a row":        {before: full, now: full + "0a0102030407,go", heldBack: "is incomplete"},
		"grown, and cut in a quote":      {before: full, now: full + "0a0102030407,\"go\nld", heldBack: "is incomplete"},
		"grown, without a last line end": {before: full, now: full + "0a0102030407,gold,1"},
		"a bad row with a line end":      {before: full, now: full + "0a0102030407,gold\n"},
		"as before, without a line end":  {before: strings.TrimSuffix(full, "\n"), now: strings.TrimSuffix(full, "\n")},
		"never loaded":                   {now: strings.TrimSuffix(full, "00900\n")},
		"never loaded, a bad last row":   {now: full + "0a0102030407,go"},
		"never loaded, empty":            {now: "", fails: "empty file"},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, tc.before)
			mark := ""
			if tc.before != "" {
				s := New(Config{Path: path}).(attr.Marker)
				if _, err := s.Open(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := s.Load(t.Context(), func(*attr.Device) error { return nil }); err != nil {
					t.Fatal(err)
				}
				mark = s.Mark()
			}
			if err := os.WriteFile(path, []byte(tc.now), 0o600); err != nil {
				t.Fatal(err)
			}
			loadIt := func(mark string) error { // as after a restart
				s := New(Config{Path: path}).(attr.Marker)
				s.SetMark(mark)
				_, err := s.Open(t.Context())
				if err == nil {
					err = s.Load(t.Context(), func(*attr.Device) error { return nil })
				}
				return err
			}
			err := loadIt(mark)
			switch {
			case tc.heldBack != "":
				if !errors.Is(err, attr.ErrHeldBack) || !strings.Contains(err.Error(), tc.heldBack) {
					t.Errorf("%v, want %q", err, tc.heldBack)
				}
			case tc.fails != "":
				if err == nil || errors.Is(err, attr.ErrHeldBack) || !strings.Contains(err.Error(), tc.fails) {
					t.Errorf("%v, want %q", err, tc.fails)
				}
			case err != nil:
				t.Error(err)
			}
			if err := loadIt(""); errors.Is(err, attr.ErrHeldBack) {
				t.Errorf("with force: %v", err)
			}
		})
	}
}

// A file that is truncated for a moment is not reported; one that remains truncated is.
func TestFollowTruncated(t *testing.T) {
	const full = "mac,a\n0a0102030405,1\n0a0102030406,2\n"
	path := write(t, full)
	s := New(Config{Path: path, Debounce: 5 * time.Millisecond, Poll: 200 * time.Millisecond})
	if _, err := s.Open(t.Context()); err != nil {
		t.Fatal(err)
	}
	load := func() error { return s.Load(t.Context(), func(*attr.Device) error { return nil }) }
	if err := load(); err != nil {
		t.Fatal(err)
	}
	s.(attr.Marker).SetMark(s.(attr.Marker).Mark())
	errs := make(chan error)
	go func() {
		_ = s.Follow(t.Context(), func([]attr.Change) error {
			errs <- load()
			return nil
		})
	}()
	next := func() error {
		t.Helper()
		select {
		case err := <-errs:
			return err
		case <-time.After(30 * time.Second):
			t.Fatal("nothing is loaded")
			return nil
		}
	}
	if err := os.WriteFile(path, []byte(full[:len(full)-3]), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := next(); !errors.Is(err, attr.ErrHeldBack) {
		t.Errorf("a file that remains truncated: %v", err)
	}
	if err := os.WriteFile(path, []byte(full+"0a0102030407,3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := next(); err != nil {
		t.Errorf("a file that is whole again: %v", err)
	}
}
