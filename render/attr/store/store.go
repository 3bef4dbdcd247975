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

// Store merges the devices of several sources, on disk and in memory. Readers take a View.
//
// The Store has a file of the last data of each source, and a merged file, unless one source's file can be used as it is (see
// fleet.single). Files are replaced as a whole: whatever happens to a source or the machine, the last known data remain in
// service, also after a restart. Changes form an overlay, and are written to new files when they are many or old.
//
// The schema only grows while a Store is open: an attribute that a source has lost retains its index, and no device has it.
// Code compiled against an earlier View's schema reads later Views' records correctly.
type Store struct {
	cfg       Config
	view      atomic.Pointer[View]
	srcs      []*source
	locking   sync.Mutex
	lock      *os.File // nil: Dir could not be locked because it is not writable; guarded by locking
	cancel    context.CancelFunc
	ctx       context.Context
	wg        sync.WaitGroup
	journal   *journal
	rebuild   chan struct{} // holds one when new files are to be written
	ready     chan struct{} // closed when the files on disk are open
	untried   atomic.Int64  // sources that Settled waits for
	settled   chan struct{}
	allLoaded atomic.Bool // each source has been loaded, now or before the start
	asker

	build    sync.Mutex      // held while files are written; locked before mu
	building context.Context // ends builds; guarded by build
	flushing sync.Mutex      // held while a View is made; locked after build and before mu

	mu     sync.Mutex // guards the following, and fields of the sources
	names  []string
	schema *attr.Schema
	fleet  fleet
	seq    uint64
	stamp  int64
	// Keys in the overlay, with the number of the last change of each; oldest is the time of the first change.
	macs   map[device.MAC]uint64
	ips    map[netip.Addr]uint64
	oldest time.Time
	// What has changed since the last View.
	base         *localdb.DB // of the next View
	merged       bool        // base is the merged file, not a source's
	rebased      bool        // base has changed
	logged       []logged    // changes that are not in the journal yet
	orphans      []record    // journal records of sources that are not configured
	newMACs      map[device.MAC]struct{}
	newIPs       map[netip.Addr]struct{}
	timer        *time.Timer   // runs while there are changes to publish
	damagedFiles []*localdb.DB // damaged files that were reported
	// Devices and addresses in the overlay whose data could not be read.
	unsureMACs []device.MAC
	unsureIPs  []netip.Addr
	remerge    bool // sources have new files that are not merged yet
}

var (
	errReload      = errors.New("source must be loaded again")
	errNotOpen     = errors.New("source is not open, or was not at the last attempt")
	errWrongDevice = errors.New("source answered with a different device")
	// ErrStalled is wrapped by errors about loads without progress.
	ErrStalled = errors.New("load stalled")
)

// Close stops loads and look-ups in sources, writes changes to disk, and closes the sources. Views remain usable.
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

// View returns the current View.
func (s *Store) View() *View { return s.view.Load() }

// Schema returns the schema of the current View.
func (s *Store) Schema() *attr.Schema { return s.View().Schema() }

// Settled returns a channel that is closed when each source has been loaded, has been found unchanged, or has failed, once since Open.
func (s *Store) Settled() <-chan struct{} { return s.settled }

// tried records an attempt to load a source.
func (s *Store) tried(src *source) {
	src.first.Do(func() {
		if s.untried.Add(-1) == 0 {
			close(s.settled)
		}
	})
}

// AllLoaded reports whether each source has been loaded, now or before the start. Until then, a device that is not found may
// exist.
func (s *Store) AllLoaded() bool { return s.allLoaded.Load() }
