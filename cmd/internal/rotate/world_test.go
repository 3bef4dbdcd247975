package rotate

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/keyring"
	"dcs/render/secret"
)

// errDead is returned by every operation once the process has died.
var errDead = errors.New("the process is dead")

// world is a server, a keyring, a journal and CMTSes, all in memory. Its process dies at the nth operation, before or after
// it; the next process finds what it left.
type world struct {
	t  *testing.T
	mu sync.Mutex

	ops   int // of the present process, so far
	dieAt int // 0: never
	after bool
	dead  bool
	fail  func(op string) error // asked before each operation; nil: none fails
	ctx   context.Context       // of the process; nil: one that does not end

	disk    *keyring.File
	drained *keyring.File // at the last drain
	journal []byte
	now     time.Time

	serverUp bool
	served   *keyring.File // what the server signs with
	refuse   error         // what the server answers
	grace    map[string]map[string]time.Time
	violated []string
	windows  map[string]bool // CMTSes with one slot that have rejected a modem
	cmts     map[string]*box
}

// box is a CMTS. It has two interfaces, each with a primary secret and, if there are two slots, a secondary one. A command
// changes one after the other.
type box struct {
	w        *world
	name     string
	slots    int
	maxLen   int
	readable bool
	ifs      [2][]string // texts: the primary, the secondary
	fail     func(op string) error
}

const drain = time.Minute

// newWorld returns CMTSes with two slots (a…) and with one (x…), all with the default secret.
func newWorld(t *testing.T, double, single int) (*world, []string) {
	w := &world{
		t: t, now: time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC), serverUp: true,
		cmts: map[string]*box{}, windows: map[string]bool{}, grace: map[string]map[string]time.Time{},
	}
	w.disk = &keyring.File{
		Path: "secrets.yaml", Default: "main", Generation: 1, Fleet: "cmts.yaml",
		Secrets: map[string]keyring.Source{"main": {Text: secret.New("old text")}}, Holders: map[string]string{},
	}
	var names []string
	add := func(letter rune, n, slots int) {
		for i := range n {
			name := fmt.Sprintf("%c%d", letter, i)
			w.cmts[name] = &box{w: w, name: name, slots: slots, maxLen: 80, readable: i%2 == 0, ifs: [2][]string{{"old text"}, {"old text"}}}
			names = append(names, name)
		}
	}
	add('a', double, 2)
	add('x', single, 1)
	w.served = w.disk.Clone()
	return w, names
}

// op is one operation with an effect outside of the process, which do makes.
func (w *world) op(name string, do func() error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.dead {
		return errDead
	}
	if w.fail != nil {
		if err := w.fail(name); err != nil {
			return err
		}
	}
	w.ops++
	if w.ops == w.dieAt && !w.after {
		w.dead = true
		return errDead
	}
	err := do()
	w.look()
	if w.ops == w.dieAt {
		w.dead = true
		return errDead
	}
	return err
}

// look registers modems with each CMTS: with files signed with the server's present secret, and with those of the last 50 s.
func (w *world) look() {
	for name, b := range w.cmts {
		text, err := w.served.Reveal(w.served.Holds(name))
		if err != nil {
			w.violated = append(w.violated, err.Error())
			continue
		}
		if w.grace[name] == nil {
			w.grace[name] = map[string]time.Time{}
		}
		w.grace[name][text.Reveal()] = w.now.Add(50 * time.Second)
		for text, until := range w.grace[name] {
			for i := range b.ifs {
				switch {
				case w.now.After(until) || slices.Contains(b.ifs[i], text):
				case b.slots == 1:
					w.windows[name] = true
				default:
					w.violated = append(w.violated, fmt.Sprintf("%s rejects a modem: it has %v, the file is under %q", name, b.ifs, text))
				}
			}
		}
	}
}

func (w *world) Load() (*keyring.File, error) {
	var f *keyring.File
	err := w.op("load", func() error {
		f = w.disk.Clone()
		return nil
	})
	return f, err
}

func (w *world) Save(f *keyring.File) error {
	return w.op("save", func() error {
		f.Generation++
		w.disk = f.Clone()
		return nil
	})
}

func (w *world) Reload(context.Context) (uint64, error) {
	var g uint64
	err := w.op("reload", func() error {
		switch {
		case !w.serverUp:
			return ErrNoServer
		case w.refuse != nil:
			return w.refuse
		}
		w.served = w.disk.Clone()
		g = w.served.Generation
		return nil
	})
	return g, err
}

func (w *world) Append(line []byte) error {
	return w.op("append", func() error {
		w.journal = append(w.journal, line...)
		return nil
	})
}

func (w *world) open(name string) (cmts.Driver, error) {
	b := w.cmts[name]
	if b == nil {
		return nil, errors.New("no such CMTS")
	}
	return b, nil
}

func (b *box) Slots() int     { return b.slots }
func (b *box) MaxLen() int    { return b.maxLen }
func (b *box) Readable() bool { return b.readable }
func (b *box) Close() error   { return nil }

func (b *box) Check(s secret.Text) error {
	if len(s.Reveal()) > b.maxLen {
		return fmt.Errorf("%d characters are too many", len(s.Reveal()))
	}
	return nil
}

// do changes one interface after the other.
func (b *box) do(ctx context.Context, op string, change func(iface int)) error {
	for i := range b.ifs {
		if err := ctx.Err(); err != nil {
			return err
		}
		err := b.w.op(op, func() error {
			if b.fail != nil {
				if err := b.fail(op); err != nil {
					return err
				}
			}
			change(i)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}

func (b *box) Add(ctx context.Context, s secret.Text) error {
	return b.do(ctx, "add", func(i int) {
		text := s.Reveal()
		if b.slots == 1 || len(b.ifs[i]) == 0 {
			b.ifs[i] = []string{text}
		} else {
			b.ifs[i] = []string{b.ifs[i][0], text} // whatever was second before
		}
	})
}

func (b *box) Remove(ctx context.Context, keep secret.Text) error {
	return b.do(ctx, "remove", func(i int) {
		b.ifs[i] = nil
		if !keep.IsZero() {
			b.ifs[i] = []string{keep.Reveal()}
		}
	})
}

func (b *box) Verify(ctx context.Context, want []secret.Text) (cmts.State, error) {
	st := cmts.State{Filled: -1}
	for range want {
		st.Holds = append(st.Holds, cmts.Unknown)
	}
	err := b.do(ctx, "verify", func(i int) {
		if !b.readable {
			return
		}
		st.Filled = max(st.Filled, len(b.ifs[i]))
		for k, s := range want {
			h := cmts.No
			if slices.Contains(b.ifs[i], s.Reveal()) {
				h = cmts.Yes
			}
			if i > 0 && st.Holds[k] != h {
				h = cmts.Partly
			}
			st.Holds[k] = h
		}
	})
	return st, err
}

// start starts a process: a new rotation if state is nil, else one that continues.
func (w *world) start(state *State) *Saga {
	clock := func() time.Time { w.mu.Lock(); defer w.mu.Unlock(); return w.now }
	s := &Saga{
		Store: w, Server: w, Open: w.open, Parallel: 3, Tries: 2, Now: clock,
		Sleep: func(ctx context.Context, d time.Duration) error {
			w.mu.Lock()
			defer w.mu.Unlock()
			w.now, w.drained = w.now.Add(d), w.disk.Clone()
			return ctx.Err()
		},
	}
	if state != nil {
		s.Journal = Continue(w, state, clock)
	}
	return s
}

// rotate is a process that begins a rotation.
func (w *world) rotate(fleet []string, req Request) error {
	s, ctx := w.start(nil), w.ctx
	if ctx == nil {
		ctx = context.Background()
	}
	ring, err := w.Load()
	if err != nil {
		return err
	}
	req.Drain = drain
	sv, err := s.Survey(ctx, ring, fleet, req)
	if err != nil {
		return err
	}
	if s.Journal, err = Begin(w, sv.Plan, s.Now); err != nil {
		return err
	}
	return s.Begin(ctx, sv.New)
}

// again is the next process, after the previous one has died or failed.
func (w *world) again(f func(*Saga) error) error {
	w.dead, w.dieAt, w.ops = false, 0, 0
	state, whole, err := replay(w.journal)
	if err != nil {
		return err
	}
	w.journal = w.journal[:whole]
	if state == nil {
		return nil
	}
	return f(w.start(state))
}

func resume(s *Saga) error   { return s.Run(context.Background()) }
func rollback(s *Saga) error { return s.RollBack(context.Background(), "the operator wants it") }

// consistent fails unless every CMTS holds one secret, the one that the server signs with for it, and the keyring has no
// unused secret. It returns whether the secrets are the new ones.
func (w *world) consistent(fleet []string) (fresh bool) {
	w.t.Helper()
	if w.serverUp && w.served.Generation != w.disk.Generation {
		w.t.Errorf("the server serves generation %d, the keyring is %d", w.served.Generation, w.disk.Generation)
	}
	used := map[string]bool{}
	for _, name := range fleet {
		text, err := w.disk.Reveal(w.disk.Holds(name))
		if err != nil {
			w.t.Error(err)
			continue
		}
		if b, want := w.cmts[name], []string{text.Reveal()}; !slices.Equal(b.ifs[0], want) || !slices.Equal(b.ifs[1], want) {
			w.t.Errorf("%s holds %v, and files are under %q", name, b.ifs, w.disk.Holds(name))
		}
		used[w.disk.Holds(name)] = true
	}
	used[w.disk.Default] = true
	if len(used) != len(w.disk.Secrets) {
		w.t.Errorf("the keyring has %v, of which %v are used", slices.Sorted(maps.Keys(w.disk.Secrets)), slices.Sorted(maps.Keys(used)))
	}
	for _, v := range w.violated {
		w.t.Error(v)
	}
	if state, _, err := replay(w.journal); err != nil || state != nil && state.Ended == "" {
		w.t.Errorf("the journal has not ended: %+v, %v", state, err)
	}
	return w.disk.Default != "main"
}
