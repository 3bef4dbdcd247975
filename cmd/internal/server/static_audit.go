package server

import (
	"sync"
	"sync/atomic"

	"dcs/cmd/internal/assemble"
	"dcs/render/library"
)

// staticAudit is what the server knows of the files that no template makes.
type staticAudit struct {
	mu      sync.Mutex // held by the one audit that runs
	refused atomic.Int64

	unchecked int // of them, whose MICs no secret tells right from wrong; guarded by mu
}

// auditStatic checks the files that no template makes, as they and the secrets are now, and warns of those that devices or
// CMTSes refuse. They are served all the same: they are the operator's. It runs beside the serving, on one CPU.
func (s *server) auditStatic() {
	s.static.mu.Lock()
	defer s.static.mu.Unlock()
	s.secrets.mu.Lock()
	sign := s.secrets.now.Signing(&s.cfg)
	s.secrets.mu.Unlock()
	a := sign.Audit(s.engine.Library(), 1)
	n, first := a.Refused(), (*library.Audited)(nil)
	for i := range a.Faulty {
		if g := a.Faulty[i].First; first == nil && len(g) > 0 {
			first = &g[0]
		}
	}
	for i := sign.Used; i < len(sign.Names); i++ {
		g := &a.Under[i]
		if n += g.N; first == nil && g.N > 0 {
			first = &g.First[0]
			first.Text = "the CMTS MIC (7) is of the secret " + sign.Names[i] + ", which no CMTS holds any more"
		}
	}
	s.static.refused.Store(int64(n))
	if unchecked := sign.Unchecked(a); unchecked != s.static.unchecked {
		if s.static.unchecked = unchecked; unchecked > 0 {
			s.log.Warn("CMTS MICs of static files unchecked: no secret is configured", "files", unchecked)
		}
	}
	if first != nil {
		s.log.Warn("static files that modems or their CMTSes refuse: dcs check lists them", "files", n, "first", assemble.Place(first), "why", first.Text)
	}
}
