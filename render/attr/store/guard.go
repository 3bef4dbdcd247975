package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/render/attr"
)

// The guard against losses. The Store counts the devices of each source and, for each attribute, the devices that have a value.
// What would remain after a load or after changes is compared with the most that the source had within a day. A loss is held back
// if it is too large:
//
//   - of 100 devices or values or more, more than a fifth (Config.Shrink),
//   - of fewer, all of at least two devices, or all values of an attribute that at least two devices, and at least a fifth of
//     them, had.
//
// A load is held back as a whole; the source is still followed. Of changes, removals of devices and emptied values beyond the limit
// are held back, and all of the same kind after them until the source is loaded; the rest of such a change, and other changes, are
// applied. Losses are net: devices that are replaced by others, and values that come and go, do not count. The comparison starts
// again each day, so that a fleet that shrinks slowly is never held back, and with a forced load, which accepts any loss.

// guardDay is the period over which losses add up.
const guardDay = 24 * time.Hour

// guard is the state of the guard for one source. It is guarded by Store.mu.
type guard struct {
	now   tally // of what is in service
	peak  tally // maximum since
	since time.Time

	loadErr         error                    // why the last load is held back; nil: it is not
	changes         int                      // held back, in whole or in part, since the last accepted load
	exceeded        map[int]string           // limits that these would exceed, by attribute; -1: devices
	blocked         map[int]struct{}         // attributes with losses held back, by the last load or by changes; -1: devices
	reportedChanges int                      // changes at the last report
	reportedLoad    string                   // loadErr at the last report, without digits
	reportedAt      time.Time                // time of the last report of loadErr
	unlisted        bool                     // the source cannot list its devices
	withheld        map[question]attr.Change // changes held back, of an unlisted source
	retry           *time.Timer              // until the next load of a source that is held back
	wait            time.Duration
}

// heldBack returns an error that describes what is held back, or nil.
func (g *guard) heldBack() error {
	var all []string
	if g.changes > 0 {
		var limits []string
		for _, i := range slices.Sorted(maps.Keys(g.exceeded)) {
			limits = append(limits, g.exceeded[i])
		}
		all = append(all, fmt.Sprintf("%d changes, which would take the losses of a day above %s", g.changes, strings.Join(limits, ", ")))
	}
	switch {
	case len(all) == 0:
		return g.loadErr
	case g.loadErr == nil:
		return fmt.Errorf("%w: %s", attr.ErrHeldBack, all[0])
	}
	return fmt.Errorf("%w; and %s", g.loadErr, all[0])
}

// roll starts a new day if the last one is over.
func (g *guard) roll(now time.Time) {
	switch {
	case g.since.IsZero() || now.Sub(g.since) >= guardDay:
		g.peak, g.since = g.now.clone(), now
	case now.Before(g.since): // the clock was set back
		g.since = now
	}
	g.peak.raise(g.now)
}

// limit returns how many of was devices or values may be lost within a day, of a source with the given number of devices.
func (c *Config) limit(was, devices int) int {
	part := c.Shrink * float64(was)
	switch {
	case c.Shrink >= 1:
		return was
	case was >= minFleet:
		return int(part + 1e-9)
	case was >= 2 && float64(was) >= c.Shrink*float64(devices):
		return was - 1
	}
	return was
}

// excess calls yield for each attribute with too many lost values, and with -1 for too many lost devices. It leaves out attributes
// that lose no more than the devices account for.
func (c *Config) excess(peak, after *tally, yield func(i, lost, was int)) {
	part := 0.0 // of the devices
	if lost := peak.devices - after.devices; lost > c.limit(peak.devices, peak.devices) {
		part = float64(lost) / float64(peak.devices)
		yield(-1, lost, peak.devices)
	}
	for i, was := range peak.values {
		lost := was - after.at(i)
		if lost > c.limit(was, peak.devices) && float64(lost) > 1.1*part*float64(was) {
			yield(i, lost, was)
		}
	}
}

// maxLosses is the number of attributes named one by one.
const maxLosses = 5

// checkLoad returns an error that wraps attr.ErrHeldBack if a load, with the counts after, would lose too much. s.mu must be held.
func (s *Store) checkLoad(src *source, after *tally, now time.Time) error {
	g := &src.guard
	g.roll(now)
	var list []string
	more := 0
	g.blocked = map[int]struct{}{}
	s.cfg.excess(&g.peak, after, func(i, lost, was int) {
		g.blocked[i] = struct{}{}
		switch {
		case i < 0:
			list = append(list, fmt.Sprintf("%d of %d devices would be lost", lost, was))
		case len(list) > maxLosses:
			more++
		default:
			list = append(list, fmt.Sprintf("attribute %s would lose %d of %d values", s.names[i], lost, was))
		}
	})
	if more > 0 {
		list = append(list, fmt.Sprintf("%d more attributes", more))
	}
	if len(list) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", attr.ErrHeldBack, strings.Join(list, ", "))
}

// resetPeak starts a new day with the counts after. s.mu must be held.
func (s *Store) resetPeak(src *source, after *tally) {
	src.guard.peak, src.guard.since = after.clone(), s.cfg.Now()
}

// CheckLosses returns the error with which a Store of these sources would hold back what Build read from one of them, or nil.
func (s *Saved) CheckLosses(src attr.Source, built *Built, now time.Time) error {
	for _, o := range s.s.srcs {
		if o.Name() != src.Name() || s.s.fleet[o.i].base == nil {
			continue
		}
		s.s.count(o)
		return s.s.checkLoad(o, &tally{int(built.Devices), scatter(built.Values, s.s.learn(built.Names))}, now)
	}
	return nil
}
