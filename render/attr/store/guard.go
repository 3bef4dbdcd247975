package store

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/render/attr"
)

// The guard. Of each source the Store counts the devices and, for each attribute, the devices that have a value. What would
// be left after a full load or after changes is compared with the most that the source had within a day; a loss that is too
// large is held back, whatever the way in:
//
//   - of 100 devices or values or more, the loss of more than a fifth (Config.Shrink),
//   - of fewer, the loss of all of at least two devices, or of all values of an attribute that at least two devices had and at
//     least a fifth of them.
//
// A full load is held back whole, and the source goes on being followed. Of changes, held back are removals of devices and
// emptied values that go beyond, and all others of the same kind until the source is loaded; the rest of such a change, and all
// other changes, are applied. Counted is what is lost on
// balance, so that devices that are replaced by others, and values that come and go, cost nothing. The day begins anew each
// day: a fleet that shrinks slowly is never held back. A load with force begins it anew, too, and accepts any loss.

// guardDay is how long a loss counts.
const guardDay = 24 * time.Hour

// guard is what a source has, and what of its losses is held back. Store.mu guards it.
type guard struct {
	now   tally // what is served of the source
	peak  tally // the most of it since
	since time.Time

	loadErr         error                    // why the last load is held back; nil: it is not
	changes         int                      // held back, in whole or in part, since the last load that was taken
	exceeded        map[int]string           // what these would lose too much of, by attribute; -1: devices
	blocked         map[int]struct{}         // what is held back, by the last load or by changes
	reportedChanges int                      // of changes, when that was told last
	reportedLoad    string                   // of load, without numbers
	reportedAt      time.Time                // when that was
	unlisted        bool                     // the source cannot list its devices
	withheld        map[question]attr.Change // changes that are held back, of a source that is unlisted
	retry           *time.Timer              // until a source that is held back is loaded again
	wait            time.Duration
}

// held returns what is held back.
func (g *guard) heldBack() error {
	var all []string
	if g.changes > 0 {
		var lose []string
		for _, i := range slices.Sorted(maps.Keys(g.exceeded)) {
			lose = append(lose, g.exceeded[i])
		}
		all = append(all, fmt.Sprintf("%d changes, which would take the losses of a day above %s", g.changes, strings.Join(lose, ", ")))
	}
	switch {
	case len(all) == 0:
		return g.loadErr
	case g.loadErr == nil:
		return fmt.Errorf("%w: %s", attr.ErrHeldBack, all[0])
	}
	return fmt.Errorf("%w; and %s", g.loadErr, all[0])
}

// roll begins a new day if it is time.
func (g *guard) roll(now time.Time) {
	switch {
	case g.since.IsZero() || now.Sub(g.since) >= guardDay:
		g.peak, g.since = g.now.clone(), now
	case now.Before(g.since): // the clock was ahead
		g.since = now
	}
	g.peak.raise(g.now)
}

// limit returns how many of was, of a source of so many devices, may be lost within a day.
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

// excess calls yield for devices, -1, and each attribute of which too many would be lost. Attributes of which no more is lost
// than goes with the devices are left out.
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

// maxLosses is how many attributes are named one by one.
const maxLosses = 5

// judge returns an error if after, which a load would leave, is too much less than what the source had. mu is held.
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
		list = append(list, fmt.Sprintf("%d attributes more", more))
	}
	if len(list) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s", attr.ErrHeldBack, strings.Join(list, ", "))
}

// forgive begins a new day from what after has. mu is held.
func (s *Store) resetPeak(src *source, after *tally) {
	src.guard.peak, src.guard.since = after.clone(), s.cfg.Now()
}

// CheckLosses returns what a Store of these sources would hold back of what Build has made of one of them, or nil.
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
