package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/fastpath/guard"
)

// LimitsView is the limits as the API speaks of them. What is left away when they are set stays as it is, but for the burst of
// a new rate, which is the default one.
type LimitsView struct {
	Allow    *[]string `json:"allow,omitempty"` // prefixes; empty: everyone
	Rate     *float64  `json:"rate,omitempty"`  // requests per second of one source; 0: no limit
	Burst    *int      `json:"burst,omitempty"`
	PrefixV4 *int      `json:"prefix_v4,omitempty"` // bits of an address that make a source
	PrefixV6 *int      `json:"prefix_v6,omitempty"`
}

func viewOf(l guard.Limits) LimitsView {
	allow := []string{}
	for _, p := range l.Allow {
		allow = append(allow, p.String())
	}
	return LimitsView{&allow, &l.Rate, &l.Burst, &l.PrefixV4, &l.PrefixV6}
}

func (v *LimitsView) over(l guard.Limits) (guard.Limits, error) {
	if v.Allow != nil {
		l.Allow = []netip.Prefix{}
		for _, text := range *v.Allow {
			p, err := config.ParsePrefix(text)
			if err != nil {
				return l, fmt.Errorf("allow: %w", err)
			}
			l.Allow = append(l.Allow, p)
		}
	}
	if v.Rate != nil {
		// A burst that suits another rate could hide this one for hours.
		l.Rate, l.Burst = *v.Rate, config.DefaultBurst(*v.Rate)
	}
	if v.Burst != nil {
		l.Burst = *v.Burst
	}
	if v.PrefixV4 != nil {
		l.PrefixV4 = *v.PrefixV4
	}
	if v.PrefixV6 != nil {
		l.PrefixV6 = *v.PrefixV6
	}
	return l, nil
}

// registerLimits has the operator see and change the limits while we serve; SIGHUP puts those of the
// configuration in their place again.
func (s *server) registerLimits() {
	s.admin.Handle("GET /api/limits", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, viewOf(s.limits.Get()))
	}))
	s.admin.Handle("POST /api/limits", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v LimitsView
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			admin.WriteError(w, http.StatusBadRequest, fmt.Errorf("limits: %w", err))
			return
		}
		to, err := v.over(s.limits.Get())
		if err == nil {
			err = s.limits.Set(to)
		}
		if err != nil {
			admin.WriteError(w, http.StatusBadRequest, err)
			return
		}
		s.tellLimits("limits set by the API")
		admin.WriteJSON(w, viewOf(s.limits.Get()))
	}))
}

func (s *server) tellLimits(what string) {
	l := s.limits.Get()
	s.log.Info(what, "allow", l.Allow, "rate", l.Rate, "burst", l.Burst, "prefix_v4", l.PrefixV4, "prefix_v6", l.PrefixV6)
}
