package library

import (
	"errors"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// compiled is what became of an item: a template, or errors. It depends on the configuration, the item, and the answers to what it has
// asked the loader for. It is immutable, and the next load takes it over if these are the same.
type compiled struct {
	template *skeleton.Template // in no Env; nil: a Block, or errs say why there is none
	pattern  *pattern           // without number and template; nil: none
	names    []string           // of a template without a pattern
	errs     syntax.Errors
	literal  *syntax.Error // why no request for names gets a file
	warnings []syntax.Error
	checked  []*syntax.Item // Blocks that were checked with it
	asked    []*query
	together bool // it was made together with others, and may depend on them
}

// worker compiles items, one at a time.
type worker struct {
	l     *loader
	env   *skeleton.Env
	names naming.Scratch
	into  *compiled
	early bool // sources are still being read
	late  bool // the item asks for what is known only when all have been read
}

var errLate = errors.New("sources are still being read")

// newWorker returns a worker that compiles in env, and records what is asked.
func newWorker(l *loader, env *skeleton.Env) *worker {
	w := &worker{l: l, env: env}
	env.Include = func(at syntax.Pos, name string, word bool) (*syntax.Item, error) {
		if l.sealed || l.single {
			return l.include(at, name, word)
		}
		a := w.ask(key{of: including, dir: dirOf(at), name: name, word: word}, at)
		return a.item, a.err
	}
	env.Candidates = func(at syntax.Pos, pieces []string) []*skeleton.Choices {
		if l.sealed || l.single {
			return l.candidates(at, pieces)
		}
		return w.ask(key{of: choosing, dir: dirOf(at), name: joined(pieces)}, at).choices
	}
	env.ReadFile = func(at syntax.Pos, name string) ([]byte, error) {
		if l.sealed || l.single {
			return l.readAsset(at, name)
		}
		a := w.ask(key{of: reading, dir: dirOf(at), name: name}, at)
		return a.data, a.err
	}
	env.ReadHead = func(at syntax.Pos, name string) ([]byte, error) {
		if l.sealed || l.single {
			return l.readHead(at, name)
		}
		a := w.ask(key{of: readingHead, dir: dirOf(at), name: name}, at)
		return a.data, a.err
	}
	env.Warn = func(at syntax.Pos, msg string) {
		if w.into != nil {
			w.into.warnings = append(w.into.warnings, syntax.Error{Pos: at, Msg: msg})
		}
	}
	return w
}

func (w *worker) ask(k key, at syntax.Pos) *reply {
	if w.early {
		w.late = true
		return &reply{err: errLate}
	}
	got := w.l.ask(k, at)
	if w.into != nil && !slices.Contains(w.into.asked, got) {
		w.into.asked = append(w.into.asked, got)
	}
	return &got.reply
}

// compile makes a template of an item, or checks a Block. early: while sources are being read; it then returns nil for an item that needs
// others. It also returns nil for one that is made together with others. old is what became of the item at the load before, or nil.
func (w *worker) compile(it *syntax.Item, old *compiled, early bool) *compiled {
	if early && it.From != nil {
		return nil
	}
	c := &compiled{together: w == w.l.together.worker}
	w.into, w.early, w.late = c, early, false
	var err error
	if it.Kind == syntax.Block {
		err = skeleton.CheckBlock(w.env, it)
	} else {
		err = w.template(it, old, c)
	}
	w.into, w.early = nil, false
	if w.late || errors.Is(err, skeleton.ErrCommon) {
		return nil
	}
	if err != nil && !errors.As(err, &c.errs) {
		c.errs = syntax.Errors{{Pos: it.Pos, Msg: err.Error()}}
	}
	if !c.together && it.Kind != syntax.Block {
		c.checked = w.env.Checked()
	}
	c.errs, c.warnings, c.asked = slices.Clip(c.errs), slices.Clip(c.warnings), slices.Clip(c.asked)
	return c
}

// template makes a template of an item.
func (w *worker) template(it *syntax.Item, old, c *compiled) error {
	var groups []string
	switch {
	case old != nil && old.pattern != nil: // something that it includes has changed
		c.pattern, groups = old.pattern, old.pattern.groups
	case it.Pattern:
		p, err := w.l.templatePattern(it)
		if err != nil {
			return syntax.Errors{err}
		}
		c.pattern, groups = p, p.groups
	}
	t, err := skeleton.New(w.env, it, groups)
	if err != nil {
		c.pattern = nil
		return err
	}
	if c.pattern == nil {
		c.names = w.l.namesOf(it)
		w.l.warnName(it.NamePos, c.names[0], w.env.Warn, &w.names)
		c.literal = t.Literal(c.names)
	} else if c.pattern.mayHoldDevice() {
		w.env.Warn(it.NamePos, "the pattern has an @, but names that end in @ and a MAC address are looked up without them, so it matches no such name; use $mac for the address")
	}
	c.template = t.In(nil)
	return nil
}

// share runs do for 0 ≤ i < n on the loader's workers. A single one needs no goroutine: at a first load, rights may be those of the caller's thread.
func (l *loader) share(n int, do func(w *worker, i int)) {
	if len(l.workers) == 1 {
		for i := range n {
			do(l.workers[0], i)
		}
		return
	}
	var next atomic.Int64
	var all sync.WaitGroup
	for _, w := range l.workers[:min(len(l.workers), n)] {
		work := func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(w, int(i))
			}
		}
		if l.cfg.Spare != nil {
			all.Go(func() { l.cfg.Spare(work) })
		} else {
			all.Go(work)
		}
	}
	all.Wait()
}
