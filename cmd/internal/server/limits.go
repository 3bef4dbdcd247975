package server

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/config"
	"dcs/fastpath/guard"
)

func limitsView(l guard.Limits) adminapi.Limits {
	allow := []string{}
	for _, p := range l.Allow {
		allow = append(allow, p.String())
	}
	return adminapi.Limits{Allow: &allow, Rate: &l.Rate, Burst: &l.Burst, PrefixV4: &l.PrefixV4, PrefixV6: &l.PrefixV6}
}

// changeLimits returns l with the fields that v has.
func changeLimits(l guard.Limits, v *adminapi.Limits) (guard.Limits, error) {
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
		// The burst of a higher rate could hide this one for hours.
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

// registerLimits registers the calls that show and set the limits. SIGHUP restores those of the configuration.
func (s *server) registerLimits() {
	s.admin.Handle("GET "+adminapi.LimitsPath, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		admin.WriteJSON(w, limitsView(s.limits.Get()))
	}))
	s.admin.Handle("POST "+adminapi.LimitsPath, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var v adminapi.Limits
		dec := json.NewDecoder(r.Body)
		dec.DisallowUnknownFields()
		if err := dec.Decode(&v); err != nil {
			admin.WriteError(w, http.StatusBadRequest, fmt.Errorf("limits: %w", err))
			return
		}
		to, err := changeLimits(s.limits.Get(), &v)
		if err == nil {
			err = s.limits.Set(to)
		}
		if err != nil {
			admin.WriteError(w, http.StatusBadRequest, err)
			return
		}
		s.logLimits("limits set by the API")
		admin.WriteJSON(w, limitsView(s.limits.Get()))
	}))
}

func (s *server) logLimits(msg string) {
	l := s.limits.Get()
	s.log.Info(msg, "allow", l.Allow, "rate", l.Rate, "burst", l.Burst, "prefix_v4", l.PrefixV4, "prefix_v6", l.PrefixV6)
}
