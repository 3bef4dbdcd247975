package attr

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"dcs/render/attr/localdb"
	"dcs/render/mapped"
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

// ErrHeld is wrapped by what is said of a loss that is held back, and by an error of a Source's Load or Open that says that
// what it has is not to be believed unless a load is forced. Unlike after other errors, the source goes on being followed.
var ErrHeld = errors.New("held back")

// Marker is a Source that compares what it loads with what it has loaded before.
type Marker interface {
	Source
	// Mark describes the last Load for SetMark.
	Mark() string
	// SetMark is called before Open and Load, and after a Load that was taken, with the Mark of the load that is served, which
	// may be of an earlier process; "": there is none, or whatever is different is to be accepted.
	SetMark(mark string)
}

// guardDay is how long a loss counts.
const guardDay = 24 * time.Hour

// tally counts devices, and for each attribute of the schema those that have it.
type tally struct {
	devices int
	values  []int
}

// at returns how many devices have attribute i.
func (t *tally) at(i int) int {
	if i < len(t.values) {
		return t.values[i]
	}
	return 0
}

func (t *tally) clone() tally { return tally{t.devices, slices.Clone(t.values)} }

func (t *tally) grow(n int) {
	for len(t.values) < n {
		t.values = append(t.values, 0)
	}
}

// add counts a device n times.
func (t *tally) add(values Record, n int) {
	t.devices += n
	t.grow(len(values))
	for i, v := range values {
		if v != "" {
			t.values[i] += n
		}
	}
}

// apply counts what a change does to rows.
func (t *tally) apply(r *rows, c *change) {
	for _, d := range r.replaced(c) {
		t.add(d.Values, -1)
	}
	if !c.gone {
		t.add(c.Values, 1)
	}
}

// raise makes each count at least that of o.
func (t *tally) raise(o tally) {
	t.devices = max(t.devices, o.devices)
	t.grow(len(o.values))
	for i, n := range o.values {
		t.values[i] = max(t.values[i], n)
	}
}

// replaced returns the devices that a change takes the place of.
func (r *rows) replaced(c *change) (list []Device) {
	if c.HasMAC {
		if d, ok := r.byMAC(c.MAC); ok {
			list = append(list, d)
		}
	}
	if c.IP.IsValid() && !(c.gone && c.HasMAC) {
		if d, ok := r.byIP(c.IP); ok && !d.HasMAC {
			list = append(list, d)
		}
	}
	return list
}

// set applies a change to rows, and counts what is different then.
func (g *guard) set(r *rows, c *change) {
	ips := []netip.Addr{c.IP}
	if old := r.macs[c.MAC]; c.HasMAC && old != nil && old.IP != c.IP {
		ips = append(ips, old.IP) // a device that has the address alone is found again
	}
	count := func(n int) {
		if d, ok := r.byMAC(c.MAC); ok && c.HasMAC {
			g.now.add(d.Values, n)
		}
		for _, ip := range ips {
			if d, ok := r.byIP(ip); ok && !d.HasMAC {
				g.now.add(d.Values, n)
			}
		}
	}
	count(-1)
	r.set(c)
	count(1)
}

// savedPeak is a guard's peak as a file keeps it. Values are by the file's attributes.
type savedPeak struct {
	Since   time.Time `json:"since"`
	Devices int       `json:"devices"`
	Values  []int     `json:"values"`
}

// guard is what a source has, and what of its losses is held back. Store.mu guards it.
type guard struct {
	now   tally // what is served of the source
	peak  tally // the most of it since
	since time.Time

	load     error               // why the last load is held back; nil: it is not
	changes  int                 // held back, in whole or in part, since the last load that was taken
	lose     map[int]string      // what these would lose too much of, by attribute; -1: devices
	lost     map[int]struct{}    // what is held back, by the last load or by changes
	told     int                 // of changes, when that was told last
	toldLoad string              // of load, without numbers
	toldAt   time.Time           // when that was
	unlisted bool                // the source cannot list its devices
	kept     map[question]Change // changes that are held back, of a source that is unlisted
	retry    *time.Timer         // until a source that is held back is loaded again
	wait     time.Duration
}

// held returns what is held back.
func (g *guard) held() error {
	var all []string
	if g.changes > 0 {
		var lose []string
		for _, i := range slices.Sorted(maps.Keys(g.lose)) {
			lose = append(lose, g.lose[i])
		}
		all = append(all, fmt.Sprintf("%d changes, which would take the losses of a day above %s", g.changes, strings.Join(lose, ", ")))
	}
	switch {
	case len(all) == 0:
		return g.load
	case g.load == nil:
		return fmt.Errorf("%w: %s", ErrHeld, all[0])
	}
	return fmt.Errorf("%w; and %s", g.load, all[0])
}

// roll begins a new day if it is time.
func (g *guard) roll(now time.Time) {
	if g.since.IsZero() || now.Sub(g.since) >= guardDay {
		g.peak, g.since = g.now.clone(), now
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
func (s *Store) judge(src *source, after *tally, now time.Time) error {
	g := &src.guard
	g.roll(now)
	var list []string
	more := 0
	g.lost = map[int]struct{}{}
	s.cfg.excess(&g.peak, after, func(i, lost, was int) {
		g.lost[i] = struct{}{}
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
	return fmt.Errorf("%w: %s", ErrHeld, strings.Join(list, ", "))
}

// admit returns those of several changes that may be applied, and how many are held back in whole or in part. Of what is held
// back already, no more may be lost. mu is held.
func (s *Store) admit(src *source, changes []*change) (apply []*change, held int) {
	g, r := &src.guard, &s.fleet[src.i]
	g.roll(s.cfg.Now())
	after := g.now.clone()
	seen := make(map[question]struct{}, len(changes))
	for _, c := range slices.Backward(changes) { // of a device the last change counts
		q := c.question()
		if _, ok := seen[q]; !ok {
			seen[q] = struct{}{}
			after.apply(r, c)
		}
	}
	lose := maps.Clone(g.lost)
	s.cfg.excess(&g.peak, &after, func(i, _, _ int) {
		if lose == nil {
			lose = map[int]struct{}{}
		}
		lose[i] = struct{}{}
	})
	for _, c := range changes {
		whole := c.raw()
		of := g.keep(r, c, lose)
		if len(of) == 0 {
			delete(g.kept, c.question())
			apply = append(apply, c)
			continue
		}
		held++
		for _, i := range of {
			g.note(&s.cfg, s.names, i)
		}
		if g.unlisted && len(g.kept) < s.cfg.Overlay {
			if g.kept == nil {
				g.kept = map[question]Change{}
			}
			g.kept[c.question()] = whole
		}
		if !c.gone && !r.has(c) {
			apply = append(apply, c)
		}
	}
	g.changes += held
	return apply, held
}

// note notes that changes would lose too much of i.
func (g *guard) note(cfg *Config, names []string, i int) {
	if g.lose == nil {
		g.lose = map[int]string{}
	}
	if g.lost == nil {
		g.lost = map[int]struct{}{}
	}
	g.lost[i] = struct{}{}
	was, what := g.peak.devices, "devices"
	if i >= 0 {
		was, what = g.peak.at(i), "values of attribute "+names[i]
	}
	g.lose[i] = fmt.Sprintf("%d of %d %s", cfg.limit(was, g.peak.devices), was, what)
}

// keep has a change lose nothing of what lose names, and returns what it would have lost. A change that removes the device
// can only be left out.
func (g *guard) keep(r *rows, c *change, lose map[int]struct{}) (of []int) {
	if len(lose) == 0 {
		return nil
	}
	old := r.replaced(c)
	if _, ok := lose[-1]; ok && c.gone && len(old) > 0 {
		of = append(of, -1)
	}
	for _, d := range old {
		for i, v := range d.Values {
			if _, ok := lose[i]; !ok || v == "" || !c.gone && c.Values[i] != "" {
				continue
			}
			of = append(of, i)
			if !c.gone {
				c.Values[i] = strings.Clone(v)
			}
		}
	}
	return of
}

// has tells whether a device is already what a change makes of it.
func (r *rows) has(c *change) bool {
	old := r.replaced(c)
	if len(old) != 1 || old[0].HasMAC != c.HasMAC || c.IP.IsValid() && old[0].IP != c.IP {
		return false
	}
	for i, v := range c.Values {
		if had, _ := Record(old[0].Values).Get(i); had != v {
			return false
		}
	}
	return true
}

// question returns what tells the change's device from others.
func (c *change) question() question { return question{c.MAC, c.HasMAC, c.IP}.key() }

// raw returns the change in memory of its own, with values by the schema.
func (c *change) raw() Change {
	return Change{Device: Device{MAC: c.MAC, HasMAC: c.HasMAC, IP: c.IP, Values: slices.Clone(c.Values)}, Gone: c.gone}
}

// recount counts what is served of a source, from what its file says and the changes that lie over it. mu is held, or nobody
// else is there yet.
func (s *Store) recount(src *source) {
	r, g := &s.fleet[src.i], &src.guard
	g.now = tally{}
	if r.base != nil {
		g.now.devices = int(src.stats.Devices)
		g.now.values = scatter(src.meta.Values, r.cols)
	}
	old := func(d Device, ok bool) {
		if ok {
			g.now.add(r.record(d.Values), -1)
		}
	}
	for mac, c := range r.macs {
		if r.base != nil {
			old(r.base.Get(mac, nil))
		}
		if !c.gone {
			g.now.add(c.Values, 1)
		}
	}
	for ip, c := range r.ips {
		if r.base != nil {
			d, ok := r.base.GetIP(ip, nil)
			old(d, ok && !d.HasMAC)
		}
		if !c.gone && !c.HasMAC {
			g.now.add(c.Values, 1)
		}
	}
}

// scatter puts counts by a file's attributes in the schema's order; cols is nil if that is the same.
func scatter(values, cols []int) []int {
	if cols == nil {
		return slices.Clone(values)
	}
	var t tally
	for i, n := range values {
		if i < len(cols) {
			t.grow(cols[i] + 1)
			t.values[cols[i]] = n
		}
	}
	return t.values
}

// remember takes over what a file says of the source's losses before the start.
func (s *Store) remember(src *source) {
	s.recount(src)
	if p := src.meta.Peak; p != nil {
		src.guard.since = p.Since
		src.guard.peak = tally{p.Devices, scatter(p.Values, s.fleet[src.i].cols)}
	}
}

// count counts the values of a file that does not say how many there are: an older program made it.
func (s *Store) count(src *source) {
	s.mu.Lock()
	base := s.fleet[src.i].base
	counted := base == nil || len(src.meta.Values) == len(base.Names())
	s.mu.Unlock()
	if counted {
		return
	}
	var values []int
	err := mapped.Read(func() (err error) {
		values, err = base.Values(s.ctx)
		return err
	})
	if err != nil {
		return // it is damaged, which others tell
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fleet[src.i].base == base {
		src.meta.Values = values
		s.recount(src)
	}
}

// commitFile gives a source's new file its place, with its counts in meta, unless accept refuses them.
func (s *Store) commitFile(src *source, b *localdb.Builder, names []string, meta *fileMeta, accept func(*tally) error) (localdb.Stats, error) {
	text, err := json.Marshal(meta)
	if err != nil {
		return localdb.Stats{}, err
	}
	room := len(text) + 256 + 32*len(names)
	return b.CommitFunc(room, func(st localdb.Stats, values []int) ([]byte, error) {
		s.mu.Lock()
		defer s.mu.Unlock()
		g, cols := &src.guard, s.learn(names)
		if err := accept(&tally{int(st.Devices), scatter(values, cols)}); err != nil {
			return nil, err
		}
		meta.Values = values
		meta.Peak = &savedPeak{Since: g.since, Devices: g.peak.devices}
		for _, i := range cols {
			meta.Peak.Values = append(meta.Peak.Values, g.peak.at(i))
		}
		return json.Marshal(meta)
	})
}

// forgive begins a new day from what after has. mu is held.
func (s *Store) forgive(src *source, after *tally) {
	src.guard.peak, src.guard.since = after.clone(), s.cfg.Now()
}

// mark tells a source what it has loaded before.
func (s *Store) mark(src *source, force bool) {
	m, ok := src.Source.(Marker)
	if !ok {
		return
	}
	s.mu.Lock()
	mark := src.meta.Mark
	s.mu.Unlock()
	if force {
		mark = ""
	}
	m.SetMark(mark)
}

// holdLoad notes that a load is held back, and has the source loaded again some time.
func (s *Store) holdLoad(src *source, err error) {
	s.mu.Lock()
	g := &src.guard
	g.load = err
	now, what := s.cfg.Now(), strings.Map(noDigit, err.Error())
	news := what != g.toldLoad || now.Sub(g.toldAt) >= s.cfg.RetryMax
	if news {
		g.toldLoad, g.toldAt = what, now
	}
	held := g.held()
	s.again(src)
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: Held, Err: held})
	}
}

// noDigit drops digits: the same loss with other numbers is told again only after a while.
func noDigit(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

// heldChanges tells of changes that are held back: of the first, and whenever there are twice as many.
func (s *Store) heldChanges(src *source) {
	s.mu.Lock()
	g := &src.guard
	news := g.changes >= max(1, 2*g.told)
	if news {
		g.told = g.changes
	}
	held := g.held()
	if !g.unlisted && g.retry == nil {
		s.again(src)
	}
	s.mu.Unlock()
	if news {
		s.event(Event{Source: src.Name(), Kind: Held, Err: held})
	}
}

// again has a source that is held back loaded again: what it has lost may be back, and nothing may tell of that. mu is held.
func (s *Store) again(src *source) {
	g := &src.guard
	g.wait = min(max(2*g.wait, s.cfg.RetryMax), 64*s.cfg.RetryMax)
	if g.retry != nil {
		g.retry.Stop()
	}
	g.retry = time.AfterFunc(g.wait, func() {
		select {
		case src.reload <- false:
		default:
		}
	})
}

// release forgets what was held back: the source was loaded. mu is held.
func (s *Store) release(src *source) {
	g := &src.guard
	if g.retry != nil {
		g.retry.Stop()
	}
	*g = guard{now: g.now, peak: g.peak, since: g.since, unlisted: g.unlisted}
	g.roll(s.cfg.Now())
}

// unlisted notes that a source cannot list its devices. With force it applies the changes that are held back: there is no
// load that would bring them.
func (s *Store) unlisted(src *source, force bool) {
	s.mu.Lock()
	g := &src.guard
	g.unlisted = true
	if !force {
		s.mu.Unlock()
		return
	}
	var list []*change
	for _, c := range g.kept {
		list = append(list, &change{Device: c.Device, gone: c.Gone})
	}
	s.take(src, list)
	s.forgive(src, &g.now)
	s.release(src)
	s.mu.Unlock()
}

// room waits, while a load is held back, until changes have room above the files; otherwise a load brings them at once. mu is
// held, and released meanwhile.
func (s *Store) room(src *source) error {
	for len(s.macs)+len(s.ips) > 4*s.cfg.Overlay {
		s.soon()
		if src.guard.load == nil {
			return errReload
		}
		s.mu.Unlock()
		select {
		case <-s.ctx.Done():
		case <-time.After(s.cfg.Publish):
		}
		s.mu.Lock()
		if err := s.ctx.Err(); err != nil {
			return err
		}
	}
	return nil
}

// Held returns what a Store of these sources would hold back of what Build has made of one of them, or nil.
func (s *Saved) Held(src Source, built *Built, now time.Time) error {
	for _, o := range s.s.srcs {
		if o.Name() != src.Name() || s.s.fleet[o.i].base == nil {
			continue
		}
		s.s.count(o)
		return s.s.judge(o, &tally{int(built.Devices), scatter(built.Values, s.s.learn(built.Names))}, now)
	}
	return nil
}
