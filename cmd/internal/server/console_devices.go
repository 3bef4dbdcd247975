package server

import (
	"cmp"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
)

// Devices implements [console.Backend].
func (b *backend) Devices() []console.Source {
	out := []console.Source{}
	if b.s.devices == nil {
		return out
	}
	for _, st := range b.s.devices.State() {
		src := console.Source{
			Name: st.Name, Up: st.Up, Loading: st.Loading, Loaded: st.Loaded, Devices: st.Devices, Duplicates: st.Duplicates,
			SharedIPs: st.SharedIPs, Rejected: st.Rejected.Rows, RejectedWhy: st.Rejected.First, Changes: st.Changes, Asked: st.Asked, Found: st.Found,
		}
		if !st.Loaded.IsZero() {
			src.Age = max(time.Since(st.Loaded).Seconds(), 0)
		}
		if st.Err != nil {
			src.Error = st.Err.Error()
		}
		if st.HeldBack != nil {
			src.Held, src.HeldChanges = assemble.HeldError(st.Name, st.HeldBack), st.ChangesHeldBack
		}
		out = append(out, src)
	}
	return out
}

// ReloadDevices implements [console.Backend].
func (b *backend) ReloadDevices(source string, force bool) error {
	if b.s.devices == nil {
		return fmt.Errorf("%w: no source of devices is configured", console.ErrQuestion)
	}
	if err := b.s.devices.Reload(source, force); err != nil {
		var names []string
		for _, st := range b.s.devices.State() {
			names = append(names, st.Name)
		}
		return fmt.Errorf("%w: %w; there are: %s", console.ErrQuestion, err, strings.Join(names, ", "))
	}
	b.s.log.Info("reload of devices requested", "source", cmp.Or(source, "all"), "force", force)
	return nil
}

// Limits implements [console.Backend].
func (b *backend) Limits() *console.Limits {
	l := b.s.limits.Get()
	out := &console.Limits{Rate: l.Rate, Burst: l.Burst}
	for _, p := range l.Allow {
		out.Allow = append(out.Allow, p.String())
	}
	return out
}

// SetLimits implements [console.Backend].
func (b *backend) SetLimits(l console.Limits) error {
	to := b.s.limits.Get()
	to.Allow, to.Rate, to.Burst = []netip.Prefix{}, l.Rate, l.Burst
	for _, text := range l.Allow {
		p, err := config.ParsePrefix(text)
		if err != nil {
			return err
		}
		to.Allow = append(to.Allow, p)
	}
	if err := b.s.limits.Set(to); err != nil {
		return err
	}
	b.s.logLimits("limits set on the admin page")
	return nil
}
