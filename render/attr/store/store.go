package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
)

// Config is what a Store is made of. What is 0 gets the value that is named here.
type Config struct {
	// Dir holds the Store's files, and is made if it does not exist. No other Store may use it at the same time.
	Dir string
	// Sources in the order in which they are believed: of an attribute, the first that has it counts.
	Sources []attr.Source
	// Now tells the time.
	Now func() time.Time
	// OnEvent is told of what an operator may want to know. It may be called by several
	// goroutines, and must not call the Store. Nil: nobody is told.
	OnEvent func(Event)

	Shrink     float64       // the part of its devices, and of an attribute's values, that a source may lose within a day: 0.2. 1: any. See guard.go
	RetryMin   time.Duration // between a failure and the next try: 1 s, doubled each time up to RetryMax
	RetryMax   time.Duration // 1 min
	Stall      time.Duration // how long a load may give nothing before it is given up: 5 min
	OpenWait   time.Duration // how long Open waits for sources of which no attributes are known: 10 s
	Publish    time.Duration // how long changes may be gathered: 50 ms
	Overlay    int           // changed devices above which the files are made anew: 65536
	Compact    time.Duration // age of a change at which they are, too: 5 min
	Memory     int           // octets that building a file may take: 64 MiB
	Askers     int           // devices that are asked for at once: 8
	AskQueue   int           // devices that may wait to be asked for: 4096; see fairQueue for which are dropped
	AskTimeout time.Duration // 5 s
	AskAgain   time.Duration // how long a device that no source knows is not asked for again: 30 s
	AskFresh   time.Duration // how long after it was asked for a device is asked for again, to learn of changes: 1 h
}

func (c *Config) defaults() error {
	if c.Dir == "" || c.Now == nil || len(c.Sources) == 0 {
		return errors.New("attr: a store needs a directory, a clock and sources")
	}
	seen := make(map[string]bool)
	for _, s := range c.Sources {
		if seen[s.Name()] {
			return fmt.Errorf("two sources of devices are called %s", s.Name())
		}
		seen[s.Name()] = true
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.Shrink == 0 {
		c.Shrink = defaultShrink
	}
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{
		{&c.RetryMin, time.Second},
		{&c.RetryMax, time.Minute},
		{&c.Stall, 5 * time.Minute},
		{&c.OpenWait, 10 * time.Second},
		{&c.Publish, 50 * time.Millisecond},
		{&c.Compact, 5 * time.Minute},
		{&c.AskTimeout, 5 * time.Second},
		{&c.AskAgain, 30 * time.Second},
		{&c.AskFresh, time.Hour},
	} {
		if *d.p == 0 {
			*d.p = d.v
		}
	}
	for _, n := range []struct {
		p *int
		v int
	}{{&c.Overlay, 65536}, {&c.Memory, 64 << 20}, {&c.Askers, 8}, {&c.AskQueue, 4096}} {
		if *n.p == 0 {
			*n.p = n.v
		}
	}
	return nil
}

// Event is something that happened to a source, or to the files.
type Event struct {
	Source  string // "": all of them together
	Kind    EventKind
	Err     error         // what went wrong
	Retry   time.Duration // after which it is tried again
	Devices int
	Stats   localdb.Stats // of the file that was made
	Reject  attr.Rejected
	Took    time.Duration
}

// EventKind says what an Event is about.
type EventKind uint8

// The kinds of events.
const (
	Loaded     EventKind = iota // a source was loaded: Devices, Stats, Reject, Took
	Failed                      // a source failed: Err, Retry; what it told last goes on serving
	Merged                      // the sources were merged, or changes put into the file: Stats, Took
	Damaged                     // a file is not what was written: Err
	Grown                       // a source has attributes that were not known before, or has told its first: the schema has grown, or is no longer partial
	NotMade                     // a file could not be made: Err, Retry; the former goes on serving
	Held                        // losses of a source are held back: Err; what it told last goes on serving
	NotDurable                  // changes cannot be written to disk: Err; they are served, and lost if the process ends now
	Durable                     // changes are on disk again
	Ahead                       // a file was made when the clock was ahead of what it is now: Err; how old it is nobody knows
)

// String returns the kind in a word or two.
func (k EventKind) String() string {
	return [...]string{
		"loaded", "failed", "merged", "damaged", "new attributes", "not made", "held back",
		"changes not durable", "changes durable again", "clock",
	}[k]
}

// State is how a source is.
type State struct {
	Name       string
	Up         bool      // its last call succeeded
	Loading    int       // devices that the load that runs has given so far; -1: none runs
	Loaded     time.Time // when what serves was loaded; zero: never
	Devices    int
	Duplicates int
	SharedIPs  int
	Rejected   attr.Rejected
	Changes    int64 // applied since the start
	Asked      int64 // devices that were asked for
	Found      int64 // of them
	Damaged    bool  // something of its file is: devices that it may have are not known
	Err        error // what went wrong last, nil once it is all right again
	Held       error // what is held back of what it has lost, an ErrHeld; nil: nothing
	HeldBack   int   // changes that are held back, in whole or in part, since the last load that was taken
}

// Store keeps what several sources tell of devices, on disk and in memory, and merges it.
// Readers take a View.
//
// For each source there is a file of what it told last, and one of all together if there
// are several sources. They are replaced whole: whatever a source does, or the machine, what was
// known last is served, after a start too. What changes is laid over the file that is
// served, and put into new files when it gets much or old.
//
// The schema only grows while a Store is open: attributes that a source has no longer keep
// their index, and no device has them. Who was made for the schema of an earlier View reads
// the records of a later one rightly.
type Store struct {
	cfg         Config
	view        atomic.Pointer[View]
	srcs        []*source
	locking     sync.Mutex
	lock        *os.File // nil: Dir could not be locked, because nothing can be written there; guarded by locking
	cancel      context.CancelFunc
	ctx         context.Context
	wg          sync.WaitGroup
	journal     *journal
	rebuildSoon chan struct{} // holds one when files are to be made anew
	ready       chan struct{} // closed when what is on disk is open
	settled     atomic.Bool   // each source has told what it has, now or before the start
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
	macs   map[[6]byte]uint64
	ips    map[netip.Addr]uint64
	oldest time.Time
	// What has changed since the last View.
	base    *localdb.DB // the next View's
	rebased bool        // it has changed
	logged  []logged    // what the journal does not have yet
	orphans []record    // what the journal has of sources that are not there
	newMACs map[[6]byte]struct{}
	newIPs  map[netip.Addr]struct{}
	timer   *time.Timer   // runs while there is something new
	spoiled []*localdb.DB // files that were found to be damaged, and told of
	// Devices and addresses in the overlay of which nobody could say.
	unsureMACs [][6]byte
	unsureIPs  []netip.Addr
	remerge    bool // sources have new files that are not merged yet
}

// source is a Source with what the Store knows of it.
type source struct {
	attr.Source
	i      int
	path   string
	reload chan bool     // to be loaded; true: whatever it loses
	opened chan struct{} // closed after the first try to open it

	loading atomic.Int64 // devices given so far; -1: not loading
	changes atomic.Int64
	asked   atomic.Int64
	found   atomic.Int64

	// Guarded by Store.mu.
	names []string // as Open returned them
	named bool     // Open has returned, or its file has told them before the start
	perm  []int    // their indices in the schema
	meta  fileMeta
	stats localdb.Stats
	up    bool
	err   error
	busy  bool      // loading
	told  bool      // a load succeeded, now or before the start
	swept bool      // what it told before the start is asked for again
	rest  time.Time // until which it is not asked, because it failed
	// failed is what it was asked for last, if it failed on that.
	failed *question
	guard  guard
}

// fileMeta is what a file says of where it is from.
type fileMeta struct {
	Source   string        `json:"source,omitempty"`
	Loaded   time.Time     `json:"loaded,omitzero"`
	Rejected attr.Rejected `json:"rejected,omitzero"`
	Seq      uint64        `json:"seq,omitempty"`   // changes up to this number are in it
	Stamp    int64         `json:"stamp"`           // differs from that of any other file in the directory
	Parts    []part        `json:"parts,omitempty"` // of a merged file: what it was merged of

	Mark   string     `json:"mark,omitempty"`   // of a Marker
	Values []int      `json:"values,omitempty"` // by the file's attributes: devices that have a value
	Peak   *savedPeak `json:"peak,omitempty"`
}

type part struct {
	Source string `json:"source"`
	Stamp  int64  `json:"stamp"`
}

const mergedName = "merged.devices"

// clockSlack is how far clocks may differ.
const clockSlack = time.Minute

// minFleet is the least fleet that may not shrink at will, defaultShrink the part that others may lose.
const (
	minFleet      = 100
	defaultShrink = 0.2
)

var (
	errReload  = errors.New("the source is to be loaded anew")
	errNotOpen = errors.New("the source is not open, or was not when it was asked last")
	errOther   = errors.New("the source told of another device than it was asked for")
	// ErrStalled is wrapped when a load gave nothing for too long.
	ErrStalled = errors.New("the source gave nothing for too long")
)

// fileName returns the name of a source's file.
func fileName(source string) string {
	h := fnv.New32a()
	h.Write([]byte(source))
	safe := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r == '-' || r == '_' {
			return r
		}
		return '_'
	}, source)
	return fmt.Sprintf("%.40s-%08x.devices", safe, h.Sum32())
}

// Open opens a Store with what was known last, and begins to load its sources. It waits for
// those of which nothing is known yet, to learn the names of their attributes, but no longer
// than Config.OpenWait. It returns an error if another Store uses Dir. If nothing can be written to Dir, what it holds is
// served, and changes over that, which are then not durable.
func Open(cfg Config) (*Store, error) {
	if err := cfg.defaults(); err != nil {
		return nil, err
	}
	lock, unwritable := lockDir(cfg.Dir)
	if errors.Is(unwritable, errInUse) {
		return nil, unwritable
	}
	s := &Store{
		cfg: cfg, lock: lock, rebuildSoon: make(chan struct{}, 1), ready: make(chan struct{}),
		macs: make(map[[6]byte]uint64), ips: make(map[netip.Addr]uint64),
		newMACs: make(map[[6]byte]struct{}), newIPs: make(map[netip.Addr]struct{}),
	}
	if lock != nil && unwritable == nil {
		unwritable = localdb.RemoveTemp(cfg.Dir)
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.building = s.ctx
	s.asker.init(&s.cfg)
	s.startJournal(s.openFiles(), unwritable)
	close(s.ready)
	var unknown []*source
	for _, src := range s.srcs {
		if s.fleet[src.i].base == nil {
			unknown = append(unknown, src)
		}
		s.wg.Go(func() { s.run(src) })
	}
	s.wg.Go(s.builds)
	s.wg.Go(s.watchFiles)
	s.startAskers()
	wait := time.NewTimer(cfg.OpenWait)
	defer wait.Stop()
	for _, src := range unknown {
		select {
		case <-src.opened:
		case <-wait.C:
			return s, nil
		}
	}
	return s, nil
}

// openFiles opens what is on disk. It returns whether the journal may be appended to.
func (s *Store) openFiles() (whole bool) {
	changes, err := openJournal(s.cfg.Dir)
	if err != nil {
		s.event(Event{Kind: Damaged, Err: err})
	}
	merged, meta, err := openFile(filepath.Join(s.cfg.Dir, mergedName))
	if err != nil {
		s.event(Event{Kind: Damaged, Err: err})
	}
	parts := s.openSources()
	fits := merged != nil && slices.EqualFunc(meta.Parts, parts, func(a, b part) bool { return a.Source == b.Source })
	if single, ok := s.fleet.single(); fits && ok && single != nil && slices.Equal(meta.Parts, parts) {
		fits = false // the single file has all that is in it
		s.learn(single.Names())
	}
	if fits { // the merged file's attributes are the schema's first
		s.learn(merged.Names())
	}
	for i, src := range s.srcs {
		if r := &s.fleet[i]; r.base != nil {
			r.cols = s.columns(r.base.Names())
			s.remember(src)
		}
	}
	s.settle()
	s.seq = max(s.seq, meta.Seq)
	reached := meta.Seq // by the journal and the merged file
	for i := range changes.records {
		reached = max(reached, changes.records[i].seq)
	}
	// A source's file may hold changes that neither has: of a disk that was full.
	behind := fits && slices.ContainsFunc(s.srcs, func(src *source) bool { return src.meta.Seq > reached })
	s.replay(changes.records, meta.Seq)
	s.learn(nil) // now that it shows of which source nothing is known
	s.view.Store(&View{schema: s.schema})
	if fits {
		s.stamp = max(s.stamp, meta.Stamp)
		s.verify(nil, merged)
		s.base, s.rebased = merged, true
		s.remerge = !slices.Equal(meta.Parts, parts)
	}
	s.flush()
	if !fits || behind {
		s.remerge = true
		if err := s.makeFiles(); err != nil {
			s.event(Event{Kind: NotMade, Err: err})
		}
	}
	if s.remerge {
		s.soon()
	}
	return changes.whole
}

// openSources opens the sources' files, and returns what each is.
func (s *Store) openSources() (parts []part) {
	s.fleet = make(fleet, len(s.cfg.Sources))
	for i, src := range s.cfg.Sources {
		o := &source{
			Source: src, i: i, path: filepath.Join(s.cfg.Dir, fileName(src.Name())),
			reload: make(chan bool, 1), opened: make(chan struct{}),
		}
		o.loading.Store(-1)
		db, m, err := openFile(o.path)
		if err != nil {
			s.event(Event{Source: src.Name(), Kind: Damaged, Err: err})
		}
		if db != nil {
			o.meta, o.stats, o.told, o.named, o.names = m, db.Stats(), true, true, db.Names()
			s.fleet[i].base = db
			s.verify(o, db)
			if ahead := m.Loaded.Sub(s.cfg.Now()); ahead > clockSlack {
				s.event(Event{Source: src.Name(), Kind: Ahead, Err: fmt.Errorf("loaded at %s, which is %v from now", m.Loaded.Format(time.RFC3339), ahead.Round(time.Second))})
			}
		}
		s.stamp, s.seq = max(s.stamp, o.meta.Stamp), max(s.seq, o.meta.Seq)
		s.srcs = append(s.srcs, o)
		parts = append(parts, part{src.Name(), o.meta.Stamp})
	}
	return parts
}

// openFile opens a file of devices. It returns nil and no error if there is none.
func openFile(path string) (*localdb.DB, fileMeta, error) {
	db, err := localdb.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fileMeta{}, nil
	}
	if err != nil {
		return nil, fileMeta{}, err
	}
	var m fileMeta
	if err := json.Unmarshal(db.Meta(), &m); err != nil {
		return nil, fileMeta{}, fmt.Errorf("%s: not a file of this store: %w", path, err)
	}
	return db, m, nil
}

// verify compares a file with its sums in the background. src is nil for the merged one.
func (s *Store) verify(src *source, db *localdb.DB) {
	s.wg.Go(func() {
		<-s.ready
		if err := db.Verify(s.ctx); err != nil && s.ctx.Err() == nil {
			s.damaged(src, db, err)
		}
		if s.likely != nil {
			db.EachMAC(s.ctx, s.likely.add)
		}
	})
}

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

// State tells how each source is, in their order.
func (s *Store) State() []State {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []State
	for _, src := range s.srcs {
		st := State{
			Name: src.Name(), Up: src.up, Loading: int(src.loading.Load()), Loaded: src.meta.Loaded,
			Devices: int(src.stats.Devices), Duplicates: int(src.stats.Duplicates), SharedIPs: int(src.stats.SharedIPs),
			Rejected: src.meta.Rejected,
			Changes:  src.changes.Load(), Asked: src.asked.Load(), Found: src.found.Load(), Err: src.err,
			Held: src.guard.held(), HeldBack: src.guard.changes,
		}
		base := s.fleet[src.i].base
		st.Damaged = base != nil && base.Damaged() != nil
		list = append(list, st)
	}
	return list
}

// Reload has a source loaded anew, or all if name is "". With force it may lose as much as
// it likes. It does not wait.
func (s *Store) Reload(name string, force bool) error {
	found := name == ""
	for _, src := range s.srcs {
		if name != "" && src.Name() != name {
			continue
		}
		found = true
		if force {
			select { // a request without force gives way
			case <-src.reload:
			default:
			}
		}
		select {
		case src.reload <- force:
		default:
		}
	}
	if !found {
		return fmt.Errorf("no source of devices is called %s", name)
	}
	return nil
}

// Explanation is a device, and where its attributes are from.
type Explanation struct {
	attr.Device          // Values is by the schema
	From        []string // by attribute: the source's name, "" if none has it
	Known       []string // sources that know the device
	Schema      *attr.Schema
}

// Explain finds a device as a View does, by its MAC address or, if it has none, by its IP address.
func (s *Store) Explain(mac [6]byte, hasMAC bool, ip netip.Addr) (Explanation, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var m merged
	e := s.fleet.lookup(func() (merged, bool) {
		var ok bool
		if hasMAC {
			m, ok = s.fleet.byMAC(mac)
		} else {
			m, ok = s.fleet.byIP(ip.Unmap())
		}
		return m, ok
	})
	ok := !e.gone
	x := Explanation{Device: attr.Device{MAC: m.MAC, HasMAC: m.HasMAC, IP: m.IP, Values: e.values}, Schema: s.schema}
	for i := range e.values {
		name := ""
		if j := m.from[i]; j >= 0 && e.values[i] != "" {
			name = s.srcs[j].Name()
		}
		x.From = append(x.From, name)
	}
	for i := range s.fleet {
		_, known := s.fleet[i].byMAC(m.MAC)
		if !m.HasMAC || !known && m.IP.IsValid() {
			var d attr.Device
			d, known = s.fleet[i].byIP(m.IP)
			known = known && !d.HasMAC
		}
		if known && ok {
			x.Known = append(x.Known, s.srcs[i].Name())
		}
	}
	return x, ok
}

func (s *Store) event(e Event) { s.cfg.OnEvent(e) }

// learn adds names to the schema, and returns their indices. mu is held, or nobody else is there yet.
func (s *Store) learn(names []string) []int {
	known := len(s.names)
	idx := make([]int, len(names))
	for i, n := range names {
		j := slices.Index(s.names, n)
		if j < 0 {
			j = len(s.names)
			s.names = append(s.names, n)
		}
		idx[i] = j
	}
	partial := slices.ContainsFunc(s.srcs, func(src *source) bool { return !src.named })
	if s.schema == nil || len(s.names) > known || partial != s.schema.Partial() {
		s.schema = s.schema.Extend(partial, s.names[known:]...)
	}
	return idx
}

// columns returns the indices of a file's attributes; nil if they are the schema's first.
func (s *Store) columns(names []string) []int {
	idx := s.learn(names)
	for i, j := range idx {
		if i != j {
			return idx
		}
	}
	return nil
}

// settle finds out whether each source has told what it has. mu is held, or nobody else is there yet.
func (s *Store) settle() {
	for _, src := range s.srcs {
		if !src.told {
			return
		}
	}
	s.settled.Store(true)
}

// Settled tells whether each source has told what it has, now or before the start. Until
// then a device that is not found may be one that is not known yet.
func (s *Store) Settled() bool { return s.settled.Load() }

// nextStamp returns a stamp for a new file. mu is held.
func (s *Store) nextStamp() int64 {
	s.stamp = max(s.stamp+1, s.cfg.Now().UnixNano())
	return s.stamp
}

// soon has files made anew.
func (s *Store) soon() {
	select {
	case s.rebuildSoon <- struct{}{}:
	default:
	}
}
