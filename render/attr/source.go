package attr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"dcs/render/device"
)

// Source supplies devices and their attributes: a file, a database, a directory, a process. Its methods may block; none is
// called on a worker. All but Ask are called by one goroutine at a time.
type Source interface {
	// Name identifies the source in logs and metrics, and among other sources. It contains no password.
	Name() string
	// Open connects to the source and returns the names of the attributes that it supplies. It is called again after any
	// method has failed.
	Open(ctx context.Context) (names []string, err error)
	// Load calls yield for every device and stops at the first error of yield, which it returns. The Device and its Values
	// are valid during the call only. It returns an error that is errors.ErrUnsupported if the source cannot list its
	// devices, but only look up single ones.
	Load(ctx context.Context, yield func(*Device) error) error
	// Close releases what Open acquired.
	Close() error
}

// ErrColumns is returned by any method of a Source but Open if its attributes differ from those that Open returned. The
// source is then opened again at once, since values would otherwise be stored under wrong names.
var ErrColumns = errors.New("attributes have changed since the source was opened")

// ErrHeldBack is wrapped by errors about losses that are held back, and by errors of Load or Open about data that are
// accepted only if a load is forced. Unlike after other errors, the Store continues to follow the source.
var ErrHeldBack = errors.New("held back")

// ErrRejected is wrapped by errors about loads with too many rows that are not devices.
var ErrRejected = errors.New("too many rows are not devices")

// Follower is a Source that reports changes by itself.
type Follower interface {
	Source
	// Follow calls apply with what has changed since the last Load began, until ctx ends, the source fails, or apply
	// returns an error, which Follow returns. It is then called again, after a Load if necessary. A source that only knows
	// that something has changed calls apply with nil, and is loaded again. apply may retain a Change's Values.
	Follow(ctx context.Context, apply func([]Change) error) error
}

// Change is a device that was added or changed, or, if Gone, removed.
type Change struct {
	Device
	Gone bool
}

// Asker is a Source that can look up a single device.
type Asker interface {
	Source
	// Ask looks up a device by its MAC address or, if that is zero, by its IP address. It is safe for concurrent use, also
	// while other methods run.
	Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (d Device, found bool, err error)
}

// Versioned is a Source that can tell, by far cheaper than by a Load, that its devices are those of an earlier Load, possibly of an
// earlier process. It reports all changes by loads: it applies none.
type Versioned interface {
	Source
	// Version identifies what the last Load returned, and the settings by which it was read; "": unknown. began is the time
	// at which that Load began.
	Version(began time.Time) string
	// Unchanged reports whether a Load would return what version identifies. If so, the source counts as loaded, by that
	// version. It is called between Open and Follow. An error of reading is false: a Load reports it.
	Unchanged(ctx context.Context, version string) bool
}

// Rejecter is a Source that leaves out rows that are not devices, such as one with a malformed address.
type Rejecter interface {
	Source
	// Rejected returns what the last Load, or the one that is running, left out.
	Rejected() Rejected
}

// Rejected counts the rows that a load left out.
type Rejected struct {
	Rows  int      // number of rows
	First []string // reasons of the first [MaxReported] rows
}

// MaxReported is the number of rejected rows that are reported one by one.
const MaxReported = 20

// Add records the reason why a row is left out.
func (r *Rejected) Add(reason string) {
	if r.Rows++; len(r.First) < MaxReported {
		r.First = append(r.First, reason)
	}
}

// Check returns an error that wraps [ErrRejected] if a load is not trustworthy: if it left out more than limit of all rows, or
// all of them. A limit of 0 means 1000 rows or 1 %, whichever is more; a negative limit allows none.
func (r *Rejected) Check(all, limit int) error {
	if limit == 0 {
		limit = max(1000, all/100)
	}
	if r.Rows == 0 || r.Rows <= limit && r.Rows < all {
		return nil
	}
	first := "unknown"
	if len(r.First) > 0 {
		first = r.First[0]
	}
	return fmt.Errorf("%w: %d of %d; first: %s", ErrRejected, r.Rows, all, first)
}
