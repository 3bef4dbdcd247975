package attr

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"dcs/render/device"
)

// Source gives devices and their attributes: a file, a database, a directory, a process.
// Its methods may block; none is called on a worker. All but Ask are called by one goroutine
// at a time.
type Source interface {
	// Name tells the source apart in logs and metrics, and from the other sources. It holds no password.
	Name() string
	// Open gets ready and returns the names of the attributes that the source gives. It is
	// called again after a failure, of whatever method.
	Open(ctx context.Context) (names []string, err error)
	// Load calls yield for every device, and returns what yield returns if that is an
	// error. The Device and its Values are valid during the call only. An error that is
	// errors.ErrUnsupported says that the source cannot list its devices, only be asked for each.
	Load(ctx context.Context, yield func(*Device) error) error
	Close() error
}

// ErrColumns says, from any method of a Source but Open, that its attributes are no more those that Open has returned. The
// source is opened again at once: values would else come under others' names.
var ErrColumns = errors.New("its attributes have changed since it was opened")

// ErrHeldBack is wrapped by what is said of a loss that is held back, and by an error of a Source's Load or Open that says that
// what it has is not to be believed unless a load is forced. Unlike after other errors, the source goes on being followed.
var ErrHeldBack = errors.New("held back")

// ErrRejected is wrapped when too many of a source's rows are not devices.
var ErrRejected = errors.New("too many rows are not devices")

// Follower is a Source that tells of changes by itself.
type Follower interface {
	Source
	// Follow calls apply with what has changed since the last Load began, again and
	// again, until ctx ends, the source fails, or apply returns an error, which Follow then
	// returns: it will be called again, if need be after a Load. A source that can only tell
	// that something has changed calls apply with nil: it is to be loaded anew. A Change's Values may be kept.
	Follow(ctx context.Context, apply func([]Change) error) error
}

// Change is a device that was added or has changed, or, if Gone, is no more.
type Change struct {
	Device
	Gone bool
}

// Asker is a Source that can be asked for one device.
type Asker interface {
	Source
	// Ask looks for a device by its MAC address or, if it has none, by its IP address.
	// Several goroutines may ask at once, and while other methods run.
	Ask(ctx context.Context, mac device.MAC, ip netip.Addr) (d Device, found bool, err error)
}

// Rejecter is a Source that leaves out what it cannot make a device of, a row with a malformed address perhaps.
type Rejecter interface {
	Source
	// Rejected tells what the last Load, or the one that runs, left out.
	Rejected() Rejected
}

// Rejected is what a load left out.
type Rejected struct {
	Rows  int      // how many
	First []string // why, of the first [MaxReported]
}

// MaxReported is how many rows that are left out are told one by one.
const MaxReported = 20

// Add notes why a row is left out.
func (r *Rejected) Add(why string) {
	if r.Rows++; len(r.First) < MaxReported {
		r.First = append(r.First, why)
	}
}

// Check returns an error that wraps [ErrRejected] if a load is not to be trusted: if it left out more than limit of all rows,
// or each of them. A limit of 0 is 1000, or one in a hundred if that is more; a negative one allows none.
func (r *Rejected) Check(all, limit int) error {
	if limit == 0 {
		limit = max(1000, all/100)
	}
	if r.Rows == 0 || r.Rows <= limit && r.Rows < all {
		return nil
	}
	why := "none was told"
	if len(r.First) > 0 {
		why = r.First[0]
	}
	return fmt.Errorf("%w: %d of %d; the first: %s", ErrRejected, r.Rows, all, why)
}
