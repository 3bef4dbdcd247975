package server

import (
	"context"
	"log/slog"
	"sync/atomic"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/spare"
	"dcs/render"
	"dcs/render/library"
)

// staticAudit checks the files that no template makes, on one CPU, in the time that others leave.
type staticAudit struct {
	cfg     *config.Config
	log     *slog.Logger
	engine  *render.Engine
	secrets *serverSecrets
	wanted  chan struct{} // has room for one

	refused   atomic.Int64 // files that devices or CMTSes refuse
	unchecked int          // files whose CMTS MICs cannot be checked without a secret
	hiding    atomic.Int64 // files that take precedence over a pattern
}

// request asks for a check of the files and secrets as they are now.
func (a *staticAudit) request() { notify(a.wanted) }

// run checks the files on request, until ctx ends.
func (a *staticAudit) run(ctx context.Context) {
	whenWanted(ctx, a.wanted, a.check)
}

// whenWanted calls f in spare time whenever somebody asks for it, until ctx ends.
func whenWanted(ctx context.Context, wanted <-chan struct{}, f func(context.Context)) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-wanted:
			spare.Do(func() { f(ctx) })
		}
	}
}

// check checks the files and logs those that devices or CMTSes refuse. They are served nevertheless, as the operator put them there.
func (a *staticAudit) check(ctx context.Context) {
	lib := a.engine.Library()
	hiding, path, pattern := lib.Hiding()
	if int64(hiding) != a.hiding.Swap(int64(hiding)) && hiding > 0 {
		a.log.Warn("static files hide a pattern; remove those that it is to make", "files", hiding, "first", path, "pattern", pattern.String())
	}
	sign := a.secrets.signing()
	found := sign.Audit(ctx, lib, 1)
	if found == nil {
		return // the server is stopping
	}
	n, first := found.Refused(), (*library.Audited)(nil)
	for i := range found.Faulty {
		if g := found.Faulty[i].First; first == nil && len(g) > 0 {
			first = &g[0]
		}
	}
	for i := sign.Used; i < len(sign.Names); i++ {
		g := &found.Under[i]
		if n += g.N; first == nil && g.N > 0 {
			first = &g.First[0]
			first.Text = "the CMTS MIC (7) is of the secret " + sign.Names[i] + ", which no CMTS has any more"
		}
	}
	a.refused.Store(int64(n))
	if unchecked := sign.Unchecked(found); unchecked != a.unchecked {
		if a.unchecked = unchecked; unchecked > 0 {
			a.log.Warn("CMTS MICs of static files unchecked: no secret is configured", "files", unchecked)
		}
	}
	if first != nil {
		a.log.Warn("static files refused by modems or CMTSes; dcs check lists them", "files", n, "first", assemble.Place(first), "why", first.Text)
	}
}
