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

// Holder identifies the process that holds the lock.
type Holder struct {
	PID   int       `json:"pid"`
	User  string    `json:"user"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
	Doing string    `json:"doing"`
}

// String describes the holder in words.
func (h Holder) String() string {
	return fmt.Sprintf("%s by %s on %s, process %d, since %s", h.Doing, h.User, h.Host, h.PID, h.Since.Local().Format("2006-01-02 15:04:05"))
}

// lockedError is the error of a lock that another process has.
type lockedError struct {
	Path   string
	Holder Holder // zero: unknown
}

func (e *lockedError) Error() string {
	if e.Holder.PID == 0 {
		return e.Path + ": locked by a process that is changing the secrets"
	}
	return "secrets are being changed: " + e.Holder.String()
}

// Lock prevents other processes from changing the keyring. It is released when the process ends, however that ends.
type Lock struct{ f *os.File }

// Acquire takes the lock at path. It does not wait for a process that has it: the error names that.
func Acquire(path, doing string, now time.Time) (*Lock, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = lockExclusively(f)
	if errors.Is(err, unix.EWOULDBLOCK) {
		locked := &lockedError{Path: path}
		if err := json.NewDecoder(f).Decode(&locked.Holder); err != nil {
			locked.Holder = Holder{}
		}
		err = locked
	}
	if err == nil {
		var text []byte
		if text, err = json.Marshal(Holder{os.Getpid(), CurrentUser(), hostname(), now.UTC(), doing}); err == nil {
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

// lockExclusively takes the exclusive lock. It waits for a shared one, which [CurrentHolder] takes for a moment only.
func lockExclusively(f *os.File) error {
	fd := int(f.Fd())
	for {
		if err := unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB); !errors.Is(err, unix.EWOULDBLOCK) {
			return err
		}
		if err := unix.Flock(fd, unix.LOCK_SH|unix.LOCK_NB); err != nil {
			return err // another process has the exclusive lock
		}
		if err := unix.Flock(fd, unix.LOCK_UN); err != nil {
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// Release releases the lock. The file remains.
func (l *Lock) Release() error {
	return errors.Join(l.f.Truncate(0), l.f.Close())
}

// CurrentHolder returns the process that holds the lock at path; nil: none, or it cannot be read.
func CurrentHolder(path string) *Holder {
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

// CurrentUser returns the name of the user, including the one who called sudo.
func CurrentUser() string {
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
