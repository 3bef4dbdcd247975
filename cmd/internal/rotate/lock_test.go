package rotate

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"
)

func TestLock(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	now := time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
	l, err := Acquire(path, "rotating", now)
	if err != nil {
		t.Fatal(err)
	}
	_, err = Acquire(path, "rotating", now)
	var locked *lockedError
	if !errors.As(err, &locked) || locked.Holder.PID != os.Getpid() || locked.Holder.User == "" || !locked.Holder.Since.Equal(now) {
		t.Fatalf("%v", err)
	}
	if want := fmt.Sprintf("process %d", os.Getpid()); !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if h := CurrentHolder(path); h == nil || h.Doing != "rotating" {
		t.Errorf("%+v", h)
	}
	if err := l.Release(); err != nil {
		t.Fatal(err)
	}
	if h := CurrentHolder(path); h != nil {
		t.Errorf("%+v", h)
	}
	if l, err = Acquire(path, "again", now); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(); err != nil {
		t.Error(err)
	}
}

// A process that looks at the lock while it is taken does not hold it.
func TestLockObserved(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	synctest.Test(t, func(t *testing.T) {
		observer, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(observer.Fd()), unix.LOCK_SH); err != nil { // as CurrentHolder does
			t.Fatal(err)
		}
		go func() {
			time.Sleep(time.Second)
			observer.Close()
		}()
		l, err := Acquire(path, "rotating", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	})
}
