package store

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/device"
)

// Store keeps what several sources tell of devices, on disk and in memory, and merges it.
// Readers take a View.
//
// For each source there is a file of what it supplied last, and a merged one, unless one source's file can serve as it is
// (see fleet.single). They are replaced whole: whatever a source or the machine does, what was known last is served, after a
// start too. Changes are laid over the file that is served, and written to new files when they are many or old.
//
// The schema only grows while a Store is open: attributes that a source has no longer keep
// their index, and no device has them. Code compiled against an earlier View's schema reads later Views' records correctly.
type Store struct {
	cfg       Config
	view      atomic.Pointer[View]
	srcs      []*source
	locking   sync.Mutex
	lock      *os.File // nil: Dir could not be locked, because nothing can be written there; guarded by locking
	cancel    context.CancelFunc
	ctx       context.Context
	wg        sync.WaitGroup
	journal   *journal
	rebuild   chan struct{} // holds one when files are to be made anew
	ready     chan struct{} // closed when what is on disk is open
	allLoaded atomic.Bool   // each source has told what it has, now or before the start
	asker

	build    sync.Mutex      // held while files are made; taken before mu
	building context.Context // ends builds; guarded by build
	flushing sync.Mutex      // held while a View is made; taken after build and before mu

	mu     sync.Mutex // guards what follows, and the sources' fields that say so
	names  []string
	schema *attr.Schema
	fleet  fleet
	seq    uint64
	stamp  int64
	// What the overlay has, with the number of the last change of each; oldest is when the first came.
	macs   map[device.MAC]uint64
	ips    map[netip.Addr]uint64
	oldest time.Time
	// What has changed since the last View.
	base         *localdb.DB // the next View's
	merged       bool        // it is the merged file, not a source's
	rebased      bool        // it has changed
	logged       []logged    // what the journal does not have yet
	orphans      []record    // what the journal has of sources that are not there
	newMACs      map[device.MAC]struct{}
	newIPs       map[netip.Addr]struct{}
	timer        *time.Timer   // runs while there is something new
	damagedFiles []*localdb.DB // files that were found to be damaged, and told of
	// Devices and addresses in the overlay of which nobody could say.
	unsureMACs []device.MAC
	unsureIPs  []netip.Addr
	remerge    bool // sources have new files that are not merged yet
}

var (
	errReload      = errors.New("source must be loaded again")
	errNotOpen     = errors.New("source is not open, or was not at the last attempt")
	errWrongDevice = errors.New("source answered with a different device")
	// ErrStalled is wrapped when a load gave nothing for too long.
	ErrStalled = errors.New("the source gave nothing for too long")
)

// Close ends all that goes on, brings changes to the disk, and closes the sources. Views stay usable.
func (s *Store) Close() error {
	s.cancel()
	s.wg.Wait()
	s.flush()
	s.compactSmall()
	err := s.journal.close()
	for _, src := range s.srcs {
		err = errors.Join(err, src.Close())
	}
	s.locking.Lock()
	defer s.locking.Unlock()
	if s.lock != nil {
		err = errors.Join(err, s.lock.Close())
	}
	return err
}

// View returns what is known now.
func (s *Store) View() *View { return s.view.Load() }

// Schema returns the schema of the View of now.
func (s *Store) Schema() *attr.Schema { return s.View().Schema() }

// AllLoaded reports whether each source has told what it has, now or before the start. Until
// then a device that is not found may be one that is not known yet.
func (s *Store) AllLoaded() bool { return s.allLoaded.Load() }
