package rotate

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"time"

	"golang.org/x/sys/unix"
)

// Holder is who holds the lock.
type Holder struct {
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
	Doing string    `json:"doing"`
}

func (h Holder) String() string {
	return fmt.Sprintf("%s by %s on %s, process %d, since %s", h.Doing, h.User, h.Host, h.PID, h.Since.Local().Format("2006-01-02 15:04:05"))
}

// LockedError tells that somebody else changes the keyring.
type LockedError struct {
	Path   string
	Holder Holder // zero: it cannot be read
}

func (e *LockedError) Error() string {
	if e.Holder.PID == 0 {
		return e.Path + ": somebody is changing the secrets; who it is cannot be read"
	}
	return "the secrets are being changed: " + e.Holder.String()
}

// Lock keeps everybody else from changing the keyring. It goes with the process, however that ends.
type Lock struct{ f *os.File }

// Acquire takes the lock at path, or returns a *LockedError.
func Acquire(path, doing string, now time.Time) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = lockAlone(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		locked := &LockedError{Path: path}
		if err := json.NewDecoder(f).Decode(&locked.Holder); err != nil {
			locked.Holder = Holder{}
		}
		err = locked
	}
	if err == nil {
		var text []byte
		if text, err = json.Marshal(Holder{os.Getpid(), WhoAmI(), hostname(), now.UTC(), doing}); err == nil {
			if err = f.Truncate(0); err == nil {
				_, err = f.WriteAt(append(text, '\n'), 0)
			}
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return &Lock{f}, nil
}

// lockAlone takes the exclusive lock. [Held], which tries the lock by a shared one, holds that for a moment only: it is waited for.
func lockAlone(f *os.File) error {
	fd := int(f.Fd())
	for {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != nil {
			return err // somebody has it alone
		}
		if err := unix.Flock(fd, unix.LOCK_UN); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Release gives the lock back. Its file stays.
func (l *Lock) Release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

// Held returns who holds the lock at path, nil if nobody does.
func Held(path string) *Holder {
	f, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil {
		return nil
	}
	var h Holder
	if json.NewDecoder(f).Decode(&h) != nil {
		return nil
	}
	return &h
}

// WhoAmI names the user, the one behind sudo where there is one.
func WhoAmI() string {
	name := fmt.Sprint("uid ", os.Getuid())
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	if sudo := os.Getenv("SUDO_USER"); sudo != "" && sudo != name {
		return sudo + " as " + name
	}
	return name
}

func hostname() string {
	h, err := os.Hostname()
	if err != nil {
		return "?"
	}
	return h
}
