package rotate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

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
