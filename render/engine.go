// Package render renders boot files: it finds the template for a requested name, fills it in and signs the result.
package render

import (
	"cmp"
	"errors"
	"io/fs"
	"net/netip"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unsafe"

	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mapped"
	"dcs/render/md5x"
	"dcs/render/mic"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

// Request is a request for a file, with its answer.
type Request struct {
	device.Requester // MAC is used if Name contains none; RenderBatch sets it to the device that it has identified

	Server netip.Addr // the address that the request was sent to
	// Claim is the MAC address in the request itself, unverified. It selects neither file nor attributes; Identity says how it
	// is compared with the device records. Zero: none.
	Claim   device.MAC
	Relayed bool   // Client is a proxy's address, which does not identify the device
	Buf     []byte // length 0; the file is written to its capacity if it fits

	Body []byte // the file: in Buf, in new memory if that is too small, or in the library's memory; not to be modified
	Hold any    // to be referenced as long as Body is used; nil: not needed
	Err  error  // a *skeleton.Fault; fs.ErrNotExist: unknown name; syscall.EAGAIN: the device is being looked up; a Mismatch: refused
}

// Config configures an Engine.
type Config struct {
	Library library.Config
	Spare   func(f func()) // calls f in the CPU time that requests leave, to load the library again; nil: at once
	Keyring *mic.Keyring
	Devices Devices // nil: no device is known
	// OnFault is called for requests that got no file and for files that were not delivered, at most MaxFaults times per second, reason
	// and worker, on the worker's goroutine. The outcome is valid during the call. May be nil.
	OnFault  func(*device.Outcome)
	Identity Identity
	// OnIdentity is called for requests that contradict the device records, with the limits of OnFault. May be nil.
	OnIdentity func(*IdentityEvent)
	// Journal is the number of outcomes that each worker buffers for [Engine.Outcomes]; 0: none.
	Journal int
	// Now is the clock by which losses of names in several loads are added up. Nil: the time does not advance.
	Now func() time.Time
}

// errAsking leaves a request without an answer.
var errAsking error = syscall.EAGAIN

// Engine renders requests with the library that it loaded last. Its methods may be called from any number of goroutines; its Workers
// do the rendering.
type Engine struct {
	cfg     Config
	snap    atomic.Pointer[library.Snapshot]
	keyring atomic.Pointer[mic.Keyring]

	names    atomic.Pointer[naming.Rules]
	identity atomic.Pointer[Identity]
	clones   atomic.Pointer[clones] // nil: nothing is known of CMTSes

	whole   bool // snap was loaded without an error; guarded by reload
	earlier earlierNames
	reload  sync.Mutex

	reloaders int // guarded by reload

	mu      sync.Mutex
	workers []*Worker

	reading sync.Mutex // guards the reading side of journals
	dropped uint64     // entries that did not fit into journals, as of the last call of Outcomes
}

// NewEngine loads the library and returns an Engine for it. An Engine with an error serves the library without the files that have errors.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.Keyring == nil {
		return nil, errors.New("render: no secret to sign with")
	}
	if cfg.Spare == nil {
		cfg.Spare = func(f func()) { f() }
	}
	e := &Engine{cfg: cfg}
	e.SetKeyring(cfg.Keyring)
	e.SetIdentity(cfg.Identity)
	e.SetNames(cmp.Or(cfg.Library.Names, &naming.Rules{}))
	err := e.Reload(false)
	if e.snap.Load() == nil {
		return nil, err
	}
	return e, err
}

// Reload loads the library again. If it has errors the previous one is still served, unless that had errors too: then the valid part of
// the new one is served, so that a headend recovering from a power failure does not wait for one broken file to be repaired. The same
// applies if templates were waiting for attributes that a source has supplied by now.
//
// A library that has become empty, or has lost all files of a directory or more than half of its names, at once or within an hour, is
// held back: the error wraps [ErrHeldBack]. The likely cause is a directory that is not mounted or is still being copied. force accepts
// the library.
func (e *Engine) Reload(force bool) error {
	e.reload.Lock()
	defer e.reload.Unlock()
	cfg := e.cfg.Library
	if e.cfg.Devices != nil {
		cfg.Schema = e.cfg.Devices.Schema()
	}
	before := e.snap.Load()
	var snap *library.Snapshot
	var err error
	load := func() { snap, err = library.Load(cfg, before) }
	if before == nil {
		load()
	} else {
		cfg.Parallel, cfg.Spare = e.reloaders, e.cfg.Spare
		e.cfg.Spare(load)
	}
	waited := before != nil && before.Waiting() > 0 && !cfg.Schema.Partial()
	if snap == nil || err != nil && e.whole && !waited {
		return err
	}
	if force || before == nil || waited {
		e.earlier = earlierNames{}
	} else if loss := e.earlier.loss(before, snap, e.now()); loss != nil {
		return errors.Join(err, heldBack(loss))
	}
	e.snap.Store(snap)
	if before != nil {
		before.Retire()
	}
	e.whole = err == nil
	return err
}

// SetReloaders sets the number of goroutines that load the library again, when requests want the CPUs too; 0: as many as there are CPUs.
func (e *Engine) SetReloaders(n int) {
	e.reload.Lock()
	e.reloaders = n
	e.reload.Unlock()
}

// SetNames replaces the roots and rewrite rules of names, with immediate effect. The handling of backslashes and of letter case must be that
// of Config.Library.
func (e *Engine) SetNames(r *naming.Rules) { e.names.Store(r) }

// Library returns the library that is served.
func (e *Engine) Library() *library.Snapshot { return e.snap.Load() }

// SetKeyring replaces the shared secrets of all files, with immediate effect. What has been learned of names is kept.
func (e *Engine) SetKeyring(k *mic.Keyring) {
	e.findClones(k)
	e.keyring.Store(k)
}

// Keyring returns the shared secrets that files are signed with.
func (e *Engine) Keyring() *mic.Keyring { return e.keyring.Load() }

// Worker renders batches of requests. It has its own scratch memory, and must not be used by two goroutines at once.
type Worker struct {
	e       *Engine
	snap    *library.Snapshot
	finder  library.Finder
	unknown unknownNames
	scratch skeleton.Scratch
	batch   md5x.Batch
	cm      []md5x.Lane
	cmts    []md5x.Lane
	late    []late
	values  skeleton.Values
	found   []found      // by request of the batch
	queries []Query      // those of them that are looked up
	at      int          // the request that is being rendered
	again   int          // the request whose values could not be read
	quiet   bool         // report no faults and no mismatches
	literal bool         // names are those of the library: not rewritten, without devices
	trace   *Explanation // of the one request of the batch; nil: it is not explained

	names   *naming.Rules // of the batch
	reading naming.Scratch

	identity   Identity                           // of the batch
	claimed    bool                               // a request of the batch names a device
	faults     [skeleton.NumReasons + 1]allowance // indexed by reason; 0, which no fault has, is for unknown names, and the last for undelivered files
	mismatches [NumMismatches]allowance
	counted    counters
	journal    *journal // nil: none
	outcome    device.Outcome
	event      IdentityEvent
}

// found is the result of the first pass over a batch for one request.
type found struct {
	name     library.Found
	rendered bool       // by a template; false: the request is answered
	static   bool       // with a static file
	mac      device.MAC // zero: unknown
	query    int        // index of its device query; -1: none
	claim    claim
}

// late is a CM MIC that the CMTS MIC covers, and the place to copy it to.
type late struct {
	dst []byte
	src *[md5x.Size]byte
}

// Worker returns a new worker.
func (e *Engine) Worker() *Worker {
	w := &Worker{e: e, scratch: skeleton.NewScratch(), journal: newJournal(e.cfg.Journal)}
	e.mu.Lock()
	e.workers = append(e.workers, w)
	e.mu.Unlock()
	return w
}

// Prober returns a worker for requests whose files are not delivered. They are not counted in Stats and Outcomes; faults and
// mismatches are reported, and mismatches refused, as for other requests.
func (e *Engine) Prober() *Worker { return &Worker{e: e} }

// RenderBatch answers requests; now is their time in nanoseconds since 1970. For kinds of names that have been learned it does not
// allocate and takes no lock.
func (w *Worker) RenderBatch(now int64, reqs []Request) {
	var view View
	if w.e.cfg.Devices != nil {
		view = w.e.cfg.Devices.View()
	}
	w.renderBatch(now, reqs, view)
}

func (w *Worker) renderBatch(now int64, reqs []Request, view View) {
	if snap := w.e.snap.Load(); snap != w.snap {
		w.snap = snap
		w.unknown.clear()
		clear(w.found[:cap(w.found)]) // of the library before
	}
	keyring := w.e.keyring.Load()
	w.cm, w.cmts, w.late = w.cm[:0], w.cmts[:0], w.late[:0]
	w.identity, w.claimed = *w.e.identity.Load(), false
	if names := w.e.names.Load(); !w.literal {
		w.names = names
	} else if w.names == nil {
		w.names = names.Literally() // these are names of the library
	}
	if cap(w.found) < len(reqs) {
		w.found, w.queries = make([]found, len(reqs)), w.newQueries(2*len(reqs)) // by MAC address, and by IP address
	}
	w.found, w.queries = w.found[:len(reqs)], w.queries[:0]
	w.counted.requests.Store(w.counted.requests.Load() + uint64(len(reqs)))
	for i := range reqs {
		r, f := &reqs[i], &w.found[i]
		w.find(r, f)
		if view != nil && f.rendered && f.name.Template.Attributes() {
			f.query = w.ask(Query{MAC: f.mac, IP: r.Client.Unmap()})
		}
		w.claims(r, f, view != nil)
	}
	if len(w.queries) > 0 {
		view.Lookup(now, w.queries)
	}
	if w.claimed {
		w.judge(now, reqs, keyring, view)
	}
	for w.at, w.again = 0, -1; w.at < len(reqs); {
		w.renderFrom(now, reqs, keyring, view)
	}
	runtime.KeepAlive(view) // records are in its memory
	w.batch.Sum(w.cm)
	for _, l := range w.late {
		copy(l.dst, l.src[:])
	}
	w.batch.Sum(w.cmts)
	w.scratch.Reset()
}

// newQueries returns queries with room for their values, whole cache lines for each: a worker writes them at each request, and what each
// query allocated for itself might share its line with another worker's.
func (w *Worker) newQueries(n int) []Query {
	queries := make([]Query, n)
	if w.e.cfg.Devices == nil {
		return queries
	}
	const perLine = 64 / int(unsafe.Sizeof(""))
	room := max((w.e.cfg.Devices.Schema().Len()+perLine-1)/perLine, 1) * perLine
	values := make([]string, n*room)
	for i := range queries {
		queries[i].Values = values[i*room : i*room : (i+1)*room]
	}
	return queries
}

// renderFrom renders the requests from w.at on. A request whose values cannot be read is looked up once more, and rendering resumes with
// it.
func (w *Worker) renderFrom(now int64, reqs []Request, keyring *mic.Keyring, view View) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer w.survive(now, view)
	for ; w.at < len(reqs); w.at++ {
		r, f := &reqs[w.at], &w.found[w.at]
		if f.rendered {
			w.render(now, r, f, keyring)
		} else if f.static {
			w.counted.add(&w.counted.static)
		}
		w.name(r, f)
		if r.Err != nil || w.journal != nil {
			w.report(now, r, f)
		}
	}
}

// survive recovers, for renderFrom, from a memory fault in the values of a device. A request with two faults gets no answer.
func (w *Worker) survive(now int64, view View) {
	p := recover()
	if p == nil {
		return
	}
	f := &w.found[w.at]
	addr, ok := mapped.Fault(p)
	if file, has := view.(Faulter); !ok || !has || f.query < 0 || !file.Fault(addr) {
		panic(p) //nolint:forbidigo // not a fault of the mapped file
	}
	q := w.queries[f.query : f.query+1]
	if w.again == w.at {
		q[0].Asking = true
		return
	}
	w.again = w.at
	view.Lookup(now, q)
}

// name sets the MAC address of a request to that of the device found for it.
func (w *Worker) name(r *Request, f *found) {
	if f.query >= 0 {
		r.MAC = w.queries[f.query].MAC
	} else {
		r.MAC = f.mac.Or(r.MAC)
	}
}

// A refusedName is the error of a name that gets no file, whatever the library contains.
type refusedName naming.Refusal

func (e refusedName) Error() string        { return naming.Refusal(e).String() }
func (e refusedName) Is(target error) bool { return target == fs.ErrNotExist }

// find answers requests for static files, and finds the template of others.
func (w *Worker) find(r *Request, f *found) {
	r.Body, r.Hold, r.Err = nil, nil, nil
	asked := w.names.Read(r.Name, !w.identity.NoMACInName, &w.reading)
	if w.trace != nil {
		w.trace.name(&asked)
	}
	name := asked.File
	f.rendered, f.static, f.query, f.mac = false, false, -1, asked.MAC
	if asked.Refusal != naming.Allowed {
		r.Err = refusedName(asked.Refusal)
		return
	}
	h := library.Hash(name)
	if w.unknown.has(h, name) {
		r.Err = fs.ErrNotExist
		return
	}
	l := &f.name
	known := w.finder.Find(w.snap, h, name, l)
	if w.trace != nil {
		w.trace.found(w.snap, l, known)
	}
	if !known {
		w.unknown.add(h, name)
		r.Err = fs.ErrNotExist
		return
	}
	if l.File != nil {
		r.Body, r.Hold, f.static = l.File.Data, l.File, true
		f.mac = f.mac.Or(r.MAC)
		return
	}
	if l.Template == nil {
		r.Err = l.Fault()
		return
	}
	if l.Template.Waiting() {
		w.counted.add(&w.counted.asking)
		r.Err = errAsking
		return
	}
	f.rendered = true
	f.mac = f.mac.Or(l.MAC).Or(r.MAC)
}

// skeleton returns the skeleton of a name for a device.
func (w *Worker) skeleton(l *library.Found, v *skeleton.Values) (*skeleton.Skeleton, *skeleton.Fault) {
	if w.trace != nil {
		return w.trace.skeleton(w.e, l, v)
	}
	return w.snap.Skeleton(l, v.Attrs, v.IP.Is6())
}

// render answers a request, except for the MICs, which it adds to the lanes of the batch.
func (w *Worker) render(now int64, r *Request, f *found, keyring *mic.Keyring) {
	v := &w.values
	f.name.Fill(v)
	v.Now, v.IP, v.Server, v.MAC = now, r.Client.Unmap(), r.Server.Unmap(), f.mac
	v.Attrs = nil
	if f.query >= 0 {
		q := &w.queries[f.query]
		if q.Asking {
			r.Err = errAsking
			w.counted.add(&w.counted.asking)
			return
		}
		if v.Attrs = q.Values; !q.Owner.IsZero() {
			v.MAC = q.Owner
		}
	}
	secret := keyring.Secret(v.IP)
	s, fault := w.skeleton(&f.name, v)
	done := false
	if fault == nil {
		done, fault = w.build(r, s, v, secret)
	}
	if fault == skeleton.Unfit {
		if s, fault = w.snap.Exact(&f.name, v.Attrs, v.IP.Is6()); fault == nil {
			done, fault = w.build(r, s, v, secret)
		}
	}
	if fault != nil {
		r.Body, r.Err = nil, fault
		if bad := f.name.Bad(); len(bad) > 0 {
			w.scratch.Bad = unsafe.String(unsafe.SliceData(bad), len(bad)) // until the request is reported
		}
		return
	}
	w.counted.add(&w.counted.files[s.Kind])
	if !done {
		cm, cmts, dst := s.Lanes(r.Body, secret, &w.scratch)
		w.cm, w.cmts = append(w.cm, cm), append(w.cmts, cmts)
		w.late = append(w.late, late{dst, cm.Out})
	}
}

// build makes the file of a request, and reports whether it is done. If not, its MICs come with the lanes of the batch.
func (w *Worker) build(r *Request, s *skeleton.Skeleton, v *skeleton.Values, secret *mic.Secret) (done bool, fault *skeleton.Fault) {
	if s.Static() {
		if r.Body = s.File(secret); r.Body != nil {
			return true, nil
		}
	}
	r.Body, fault = s.Build(r.Buf, v, &w.scratch)
	if fault == nil && s.Alone() {
		r.Body, fault = s.Sign(r.Body, secret, &w.scratch)
	}
	return s.Alone() || !s.Signed(), fault
}
