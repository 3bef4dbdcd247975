// Package render answers a request with a boot file: it finds the template that the name
// asks for, fills it in, and signs it.
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

	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mapped"
	"dcs/render/md5x"
	"dcs/render/mic"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

// Request asks for one file.
type Request struct {
	device.Requester // MAC counts only if Name holds none; RenderBatch sets it to that of the device that it found

	Server netip.Addr // the address that was asked
	// Claim is the MAC address that the request itself gives, unverified. It selects no file and no attributes; Identity says how it
	// is compared with what is known. Zero: there is none.
	Claim   device.MAC
	Relayed bool   // Client is a proxy's address, and says nothing of the device
	Buf     []byte // of length 0: room that the file may be written to

	Body []byte // the answer: in Buf, in memory of its own where that is too small, or a part of the library that nobody may change
	Hold any    // keeps Body's memory in place; nil where the garbage collector does
	Err  error  // a *skeleton.Fault; fs.ErrNotExist: nothing has this name; syscall.EAGAIN: the device is being asked for, or not known yet; a Mismatch: it is refused
}

// Config is what an Engine is made of.
type Config struct {
	Library library.Config
	Keyring *mic.Keyring
	Devices Devices // nil: nothing is known of any device
	// OnFault is called with requests that got no file, and files that were not delivered, at most MaxFaults times a second for each
	// reason by each worker, on the worker's own goroutine. The outcome is valid during the call. May be nil.
	OnFault  func(*device.Outcome)
	Identity Identity
	// OnIdentity is called with requests that contradict what is known of devices, as OnFault is with faults. May be nil.
	OnIdentity func(*IdentityEvent)
	// Journal is how many outcomes each worker keeps until [Engine.Outcomes] fetches them; 0: none.
	Journal int
	// Now is the clock, by which names that are lost in several loads are counted together. Nil: it stands still.
	Now func() time.Time
}

// errAsking leaves a request without an answer.
var errAsking error = syscall.EAGAIN

// Engine renders requests from the library that was loaded last. Its methods may be
// called by any number of goroutines; rendering is done by its Workers.
type Engine struct {
	cfg     Config
	snap    atomic.Pointer[library.Snapshot]
	keyring atomic.Pointer[mic.Keyring]

	names    atomic.Pointer[naming.Rules]
	identity atomic.Pointer[Identity]
	clones   atomic.Pointer[clones] // nil: nothing is known of CMTSes

	whole  bool // snap was loaded without an error; guarded by reload
	former formerNames
	reload sync.Mutex

	mu      sync.Mutex
	workers []*Worker

	reading sync.Mutex // guards the reading side of journals
	dropped uint64     // entries that did not fit into journals, as of the last call of Outcomes
}

// NewEngine loads the library. If there is an Engine beside an error, some of the library's files are bad, and it serves
// the others.
func NewEngine(cfg Config) (*Engine, error) {
	if cfg.Keyring == nil {
		return nil, errors.New("render: no secret to sign with")
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

// Reload loads the library anew. On an error the former one goes on serving. As long as none was without errors, what
// is good of the newest one serves: a headend that comes back from a power cut does not wait until somebody has
// mended the one file that is bad. Nor does it wait while templates do that need the attributes of a source that has told them now.
//
// A library that has become empty, has lost all files of one of its directories, or more than half of its names, at once or
// within an hour, is held back: the error wraps [ErrHeldBack]. A directory that was not mounted looks so, or one that is
// being copied. With force it is accepted.
func (e *Engine) Reload(force bool) error {
	e.reload.Lock()
	defer e.reload.Unlock()
	cfg := e.cfg.Library
	if e.cfg.Devices != nil {
		cfg.Schema = e.cfg.Devices.Schema()
	}
	before := e.snap.Load()
	snap, err := library.Load(cfg, before)
	waited := before != nil && before.Waiting() > 0 && !cfg.Schema.Partial()
	if snap == nil || err != nil && e.whole && !waited {
		return err
	}
	if force || before == nil || waited {
		e.former = formerNames{}
	} else if loss := e.former.loss(before, snap, e.now()); loss != nil {
		return errors.Join(err, heldBack(loss))
	}
	e.snap.Store(snap)
	if before != nil {
		before.Retire()
	}
	e.whole = err == nil
	return err
}

// SetNames changes the roots of names and the rules by which they are rewritten, at once. Whether a backslash is a slash, and
// whether case is ignored, must be as in Config.Library.
func (e *Engine) SetNames(r *naming.Rules) { e.names.Store(r) }

// Library returns what is being served from.
func (e *Engine) Library() *library.Snapshot { return e.snap.Load() }

// SetKeyring changes the shared secrets, at once and for all files. What was learned of names stays.
func (e *Engine) SetKeyring(k *mic.Keyring) {
	e.findClones(k)
	e.keyring.Store(k)
}

// Keyring returns the shared secrets that files are signed with.
func (e *Engine) Keyring() *mic.Keyring { return e.keyring.Load() }

// Worker renders batches of requests. It has scratch memory of its own, and must not be
// used by two goroutines at once.
type Worker struct {
	e       *Engine
	snap    *library.Snapshot
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
	again   int          // the one whose values could not be read
	quiet   bool         // reports no faults and no mismatches
	literal bool         // names are the library's own: they are not rewritten, and identify no device
	trace   *Explanation // of the one request of the batch; nil: it is not explained

	names   *naming.Rules // of the batch
	reading naming.Scratch

	identity   Identity                           // of the batch
	claimed    bool                               // a request of the batch names a device
	faults     [skeleton.NumReasons + 1]allowance // by reason; reason 0, which no fault has, is a name that nothing has; the last is a file not delivered
	mismatches [NumMismatches]allowance
	counted    counters
	journal    *journal // nil: none is kept
	outcome    device.Outcome
	event      IdentityEvent
}

// found is what the first pass over a batch has found out of a request.
type found struct {
	learned *library.Learned // nil: the request is answered
	static  bool             // by a file that needs no rendering
	mac     device.MAC       // zero: unknown
	query   int              // its place among the queries; -1: it needs none
	claim   claim
}

// late is a CM MIC that goes into what the CMTS MIC covers.
type late struct {
	dst []byte
	src *[md5x.Size]byte
}

// Worker returns a new worker.
func (e *Engine) Worker() *Worker {
	w := &Worker{e: e, journal: newJournal(e.cfg.Journal)}
	e.mu.Lock()
	e.workers = append(e.workers, w)
	e.mu.Unlock()
	return w
}

// Prober returns a worker for requests whose files are not handed over. They count for nothing, in Stats nor Outcomes; faults and
// mismatches are reported, and mismatches refused, as those of others.
func (e *Engine) Prober() *Worker { return &Worker{e: e} }

// RenderBatch answers requests; now is their time in nanoseconds since 1970. Once the
// names are learned it does not allocate, and takes no lock.
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
		w.found, w.queries = make([]found, len(reqs)), make([]Query, 2*len(reqs)) // by MAC address, and by IP address
	}
	w.found, w.queries = w.found[:len(reqs)], w.queries[:0]
	w.counted.requests.Store(w.counted.requests.Load() + uint64(len(reqs)))
	for i := range reqs {
		r, f := &reqs[i], &w.found[i]
		w.find(r, f)
		if view != nil && f.learned != nil && f.learned.Template.Attributes() {
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
	runtime.KeepAlive(view) // records lie in its memory
	w.batch.Sum(w.cm)
	for _, l := range w.late {
		copy(l.dst, l.src[:])
	}
	w.batch.Sum(w.cmts)
	w.scratch.Reset()
}

// renderFrom renders the requests from w.at on. Where values of one cannot be read, it is looked up once more, and rendering
// begins with it again.
func (w *Worker) renderFrom(now int64, reqs []Request, keyring *mic.Keyring, view View) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer w.survive(now, view)
	for ; w.at < len(reqs); w.at++ {
		r, f := &reqs[w.at], &w.found[w.at]
		if f.learned != nil {
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

// survive is deferred by renderFrom. A request whose values could not be read twice gets no answer.
func (w *Worker) survive(now int64, view View) {
	p := recover()
	if p == nil {
		return
	}
	f := &w.found[w.at]
	addr, ok := mapped.Fault(p)
	if file, has := view.(Faulter); !ok || !has || f.query < 0 || !file.Fault(addr) {
		panic(p) //nolint:forbidigo // not ours: it goes on
	}
	q := w.queries[f.query : f.query+1]
	if w.again == w.at {
		q[0].Asking = true
		return
	}
	w.again = w.at
	view.Lookup(now, q)
}

// name tells whom a request was found to be for.
func (w *Worker) name(r *Request, f *found) {
	if f.query >= 0 {
		r.MAC = w.queries[f.query].MAC
	} else {
		r.MAC = f.mac.Or(r.MAC)
	}
}

// A refusedName is the error of a name that leads to no file, whatever the library has.
type refusedName naming.Refusal

func (e refusedName) Error() string        { return naming.Refusal(e).String() }
func (e refusedName) Is(target error) bool { return target == fs.ErrNotExist }

// find answers a request for a file that needs no rendering, and finds the template of the others.
func (w *Worker) find(r *Request, f *found) {
	r.Body, r.Hold, r.Err = nil, nil, nil
	asked := w.names.Read(r.Name, !w.identity.NoMACInName, &w.reading)
	if w.trace != nil {
		w.trace.name(&asked)
	}
	name := asked.File
	*f = found{query: -1, mac: asked.MAC}
	if asked.Refusal != naming.Allowed {
		r.Err = refusedName(asked.Refusal)
		return
	}
	h := library.Hash(name)
	if w.unknown.has(h, name) {
		w.counted.add(&w.counted.unlearned)
		r.Err = fs.ErrNotExist
		return
	}
	l := w.snap.Find(h, name)
	if w.trace != nil {
		w.trace.learned(w.snap, l)
	}
	if l == nil {
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
	f.learned = l
	f.mac = f.mac.Or(l.MAC).Or(r.MAC)
}

// skeleton returns what makes the file of a learned name for one device.
func (w *Worker) skeleton(l *library.Learned, v *skeleton.Values) (*skeleton.Skeleton, *skeleton.Fault) {
	if w.trace != nil {
		return w.trace.skeleton(w.e, l, v)
	}
	return w.snap.Skeleton(l, v.Attrs, v.IP.Is6())
}

// render answers one request but for its MICs, which it adds to the batch's lanes.
func (w *Worker) render(now int64, r *Request, f *found, keyring *mic.Keyring) {
	l := f.learned
	v := &w.values
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
	s, fault := w.skeleton(l, v)
	secret := keyring.Secret(v.IP)
	if fault == nil && s.Static() {
		if r.Body = s.File(secret); r.Body != nil {
			w.counted.add(&w.counted.files[s.Kind])
			return
		}
	}
	if fault == nil {
		r.Body, fault = s.Build(r.Buf, v, &w.scratch)
	}
	if fault == nil && s.Alone() {
		r.Body, fault = s.Sign(r.Body, secret, &w.scratch)
	}
	if fault != nil {
		r.Body, r.Err = nil, fault
		return
	}
	w.counted.add(&w.counted.files[s.Kind])
	if s.Signed() && !s.Alone() {
		cm, cmts, dst := s.Lanes(r.Body, secret, &w.scratch)
		w.cm, w.cmts = append(w.cm, cm), append(w.cmts, cmts)
		w.late = append(w.late, late{dst, cm.Out})
	}
}
