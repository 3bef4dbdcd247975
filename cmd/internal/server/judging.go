package server

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"weak"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/judge"
	"dcs/cmd/internal/spare"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/store"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/report"
)

const (
	maxFindings = 10_000          // that are kept, of each severity while judging
	valuesAge   = time.Minute     // of the devices' values that files are judged by
	checkWait   = 5 * time.Second // for the findings of a whole library
)

// judging applies the rules of lint to the library when somebody asks, on one CPU, in the time that others leave.
type judging struct {
	cfg    *config.Config
	engine *render.Engine
	mib    *mib.Index
	store  *store.Store  // of devices; nil: there is none
	wanted chan struct{} // has room for one
	single chan struct{} // is full while one template is judged

	judged, templates atomic.Int64 // of the library that is being judged

	valuesMu sync.Mutex // held while they are read
	values   *library.Values
	valuesAt time.Time

	mu    sync.Mutex
	of    weak.Pointer[library.Snapshot] // the library that found is of
	found *verdict                       // nil: there is none yet
	ended chan struct{}                  // closed when found changes
}

// verdict is what was found in a library.
type verdict struct {
	templates int
	at        time.Time
	took      time.Duration
	counts    [lint.Error + 1]int
	findings  []lint.Finding
}

func newJudging(cfg *config.Config, engine *render.Engine, names *mib.Index, devices *store.Store) *judging {
	return &judging{cfg: cfg, engine: engine, mib: names, store: devices, wanted: make(chan struct{}, 1), single: make(chan struct{}, 1), ended: make(chan struct{})}
}

// run judges the library on request, until ctx ends.
func (j *judging) run(ctx context.Context) {
	whenWanted(ctx, j.wanted, j.judge)
}

// judge judges the library that is served, unless that is done.
func (j *judging) judge(ctx context.Context) {
	lib := j.engine.Library()
	if _, current, _ := j.last(lib); current {
		return
	}
	j.judged.Store(0)
	j.templates.Store(int64(len(lib.Templates())))
	v := j.verdict(ctx, lib, nil, &j.judged)
	if v == nil {
		return // the server is stopping
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.of, j.found = weak.Make(lib), v
	close(j.ended)
	j.ended = make(chan struct{})
}

// verdict judges templates of lib; nil: all, and the files that no template makes. It returns nil if ctx ends first.
func (j *judging) verdict(ctx context.Context, lib *library.Snapshot, list []*library.Template, judged *atomic.Int64) *verdict {
	begun := time.Now()
	o := lint.Options{MIB: j.mib, Classes: j.cfg.ServiceClasses, Without: j.cfg.LintAllow, Now: begun}
	templates := list
	if list == nil {
		templates = lib.Templates()
	}
	var values *library.Values
	if slices.ContainsFunc(templates, func(t *library.Template) bool { return t.Attributes() }) {
		values = j.devices(ctx)
	}
	w := judge.Work{Library: lib, Templates: list, Devices: values, Options: o, Allows: &lint.Allows{Read: os.ReadFile}, Goroutines: 1, Most: maxFindings, Judged: judged}
	all := w.Run(ctx)
	if all == nil {
		return nil
	}
	found := all.List
	if list == nil {
		static := judge.Unrendered(lib, &o, true)
		for i := range static {
			all.Count[static[i].Severity]++
		}
		found = append(found, static...)
	}
	lint.Sort(found)
	slices.SortStableFunc(found, func(a, b lint.Finding) int { return cmp.Compare(b.Severity, a.Severity) })
	v := &verdict{templates: len(templates), at: begun, took: time.Since(begun), counts: all.Count}
	v.findings = slices.Clone(found[:min(len(found), maxFindings)])
	return v
}

// devices returns the values that devices have; nil: there are no devices. They are at most valuesAge old.
func (j *judging) devices(ctx context.Context) *library.Values {
	if j.store == nil {
		return nil
	}
	j.valuesMu.Lock()
	defer j.valuesMu.Unlock()
	if j.values != nil && time.Since(j.valuesAt) < valuesAge {
		return j.values
	}
	view, n := j.store.View(), 0
	values := new(library.Values)
	err := view.Each(func(d *attr.Device) error {
		values.Add(view.Schema(), d)
		if n++; n%1024 == 0 {
			return ctx.Err()
		}
		return nil
	})
	if err != nil {
		return nil // a file is damaged, which the store reports, or the server is stopping
	}
	j.values, j.valuesAt = values, time.Now()
	return values
}

// last returns the latest verdict on a library (nil: there is none yet), whether it is the one on lib, and what is closed when there is
// another.
func (j *judging) last(lib *library.Snapshot) (v *verdict, current bool, next <-chan struct{}) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.found, j.of == weak.Make(lib), j.ended
}

// Check implements [console.Backend].
func (b *backend) Check(ctx context.Context, template string, notes bool) (*console.Check, error) {
	j := b.s.judging
	lib := j.engine.Library()
	if template != "" {
		i := slices.IndexFunc(lib.Templates(), func(t *library.Template) bool { return t.Pos().String() == template })
		if i < 0 {
			return nil, fmt.Errorf("%w: no template is at %s", console.ErrQuestion, template)
		}
		select { // one at a time
		case j.single <- struct{}{}:
			defer func() { <-j.single }()
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		var v *verdict
		spare.Do(func() { v = j.verdict(ctx, lib, lib.Templates()[i:i+1], nil) })
		if v == nil {
			return nil, ctx.Err()
		}
		return v.console(notes), nil
	}
	wait, cancel := context.WithTimeout(ctx, checkWait)
	defer cancel()
	for {
		v, current, next := j.last(j.engine.Library())
		if current {
			return v.console(notes), nil
		}
		notify(j.wanted)
		select {
		case <-next:
		case <-wait.Done():
			out := &console.Check{Findings: []console.Finding{}}
			if v != nil {
				out = v.console(notes)
			}
			out.Running, out.Judged, out.Templates = true, int(j.judged.Load()), int(j.templates.Load())
			return out, ctx.Err()
		}
	}
}

// console returns the verdict as the console has it.
func (v *verdict) console(notes bool) *console.Check {
	out := &console.Check{
		Judged: v.templates, Templates: v.templates, At: v.at, Took: v.took.Seconds(),
		Errors: v.counts[lint.Error], Warnings: v.counts[lint.Warning], Notes: v.counts[lint.Note], Findings: []console.Finding{},
	}
	shown := v.findings
	want := out.Errors + out.Warnings
	if notes {
		want += out.Notes
	}
	shown = shown[:min(len(shown), want)]
	for i, f := range report.Findings(shown) {
		out.Findings = append(out.Findings, console.Finding{Finding: f, Arms: shown[i].Arms()})
	}
	out.LeftOut = want - len(shown)
	return out
}
