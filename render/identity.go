package render

import (
	"io/fs"
	"net/netip"

	"dcs/render/device"
	"dcs/render/mic"
)

// Identity says how far to trust a request that names a device, by the MAC address in its name or by a TFTP option.
type Identity struct {
	Bind Bind
	// NoMACInName disables the form NAME@MAC: the @ is an ordinary character. A pattern's group called mac still names the
	// device: the library's author wrote it.
	NoMACInName bool
}

// Bind is what becomes of a request that names a device, and comes from where that device is not.
type Bind uint8

// What can become of it.
const (
	BindOff    Bind = iota // not checked
	BindLog                // answered, counted and reported
	BindRefuse             // refused, counted and reported
)

// Mismatch is how a request contradicts what is known of devices. As an error it wraps [fs.ErrPermission].
type Mismatch uint8

// The mismatches.
const (
	matches       Mismatch = iota
	OthersAddress          // another device's record has the address, and the named one's has none
	Elsewhere              // the named device's record has another address
	OtherDevice            // the proxy says that another device asks
	TwoCMTS                // the device was behind another CMTS less than a minute ago; never refused, as sources can be forged
	NumMismatches          // one more than there are
)

var mismatchNames = [NumMismatches]string{"", "others_address", "elsewhere", "other_device", "two_cmts"}

// String returns the mismatch's name in metrics and logs.
func (m Mismatch) String() string { return mismatchNames[m] }

var mismatchTexts = [NumMismatches]string{
	OthersAddress: "request came from another device's address",
	Elsewhere:     "request did not come from the device's recorded address",
	OtherDevice:   "request names a different device than the proxy reports",
	TwoCMTS:       "device seen behind two CMTSes within a minute",
}

// Error says what is wrong in words.
func (m Mismatch) Error() string { return mismatchTexts[m] }

// Is makes a refused request one that lacks permission, TFTP error 2 and HTTP status 403.
func (Mismatch) Is(target error) bool { return target == fs.ErrPermission }

// IdentityEvent is a request that contradicts what is known of devices.
type IdentityEvent struct {
	device.Requester // MAC is that of the device that the request names

	Mismatch   Mismatch
	Addr       netip.Addr // the address that the named device's record has; zero: none
	Other      device.MAC // the device that has Client by its record, or that asks as the proxy says; zero: none
	Refused    bool
	Suppressed uint64 // how many mismatches of this kind were not reported since the last
}

// SetIdentity changes how far requests are believed that name a device, at once.
func (e *Engine) SetIdentity(id Identity) { e.identity.Store(&id) }

// Identity returns how far requests are believed that name a device.
func (e *Engine) Identity() Identity { return *e.identity.Load() }

// findClones makes room to recognise clones, where the keyring says which CMTS an address is behind.
func (e *Engine) findClones(k *mic.Keyring) {
	if k.Prefixes() > 0 && e.clones.Load() == nil {
		e.clones.CompareAndSwap(nil, new(clones))
	}
}

// claim is a device that a request names, and what is asked of it.
type claim struct {
	mac      device.MAC // zero: the request names none
	record   int        // the query for the device's record; -1: there is none
	owner    int        // the query for whose the request's address is; -1: there is none
	mismatch Mismatch
	other    device.MAC // zero: none
}

// claims notes whom a request names that gets a file, and asks for the device's record. Of a request that is Relayed the address says
// nothing; whom the proxy names, if it does, is compared with whom the name does.
func (w *Worker) claims(r *Request, f *found, devices bool) {
	f.claim = claim{record: -1, owner: -1}
	if w.identity.Bind == BindOff || w.literal || r.Err != nil {
		return
	}
	c := &f.claim
	if c.mac = f.mac.Or(r.Claim); c.mac.IsZero() {
		return
	}
	w.claimed = true
	if !devices || r.Relayed {
		return
	}
	if f.query >= 0 && !f.mac.IsZero() {
		c.record = f.query
		return
	}
	c.owner = f.query // by the address, if there is one
	c.record = w.ask(Query{MAC: c.mac, HasMAC: true, Peek: true})
}

// ask adds a query, and returns its place.
func (w *Worker) ask(q Query) int {
	at := len(w.queries)
	w.queries = w.queries[:at+1]
	q.Values = w.queries[at].Values[:0]
	w.queries[at] = q
	return at
}

// judge compares what requests name with what is known, once their queries are answered. Where the record does not say that a device has
// the address, whose it is is looked up; in a plant whose records have addresses that is for thieves alone.
func (w *Worker) judge(now int64, reqs []Request, keyring *mic.Keyring, view View) {
	first := len(w.queries)
	for i := range reqs {
		c := &w.found[i].claim
		if c.record >= 0 && c.owner < 0 && w.queries[c.record].Addr != address(&reqs[i]) {
			c.owner = w.ask(Query{IP: address(&reqs[i]), Peek: true})
		}
	}
	if asked := w.queries[first:]; len(asked) > 0 {
		view.Lookup(now, asked)
	}
	for i := range reqs {
		r, f := &reqs[i], &w.found[i]
		if f.claim.mac.IsZero() || f.query >= 0 && w.queries[f.query].Asking {
			continue
		}
		if w.compare(r, f); f.claim.mismatch != matches {
			w.contradict(now, r, f, f.claim.mismatch)
		}
		w.lookForClone(now, r, f, keyring)
	}
}

// compare finds the mismatch of a claim.
func (w *Worker) compare(r *Request, f *found) {
	c := &f.claim
	if !r.MAC.IsZero() && r.MAC != c.mac {
		c.mismatch, c.other = OtherDevice, r.MAC
		return
	}
	if c.record < 0 {
		return
	}
	var owner *Query
	if c.owner >= 0 {
		owner = &w.queries[c.owner]
	}
	c.mismatch = contradiction(&w.queries[c.record], owner, address(r))
	if c.mismatch != matches && owner != nil && owner.HasOwner && owner.Owner != c.mac {
		c.other = owner.Owner
	}
}

// contradiction tells what is wrong with a device that is named from addr: record is its own, owner that of the address, nil if it was
// not looked up. An address of the other family than the record's says nothing: a modem may have both.
func contradiction(record, owner *Query, addr netip.Addr) Mismatch {
	if own := record.Addr; record.Found && own.IsValid() && own.Is4() == addr.Is4() {
		if own == addr {
			return matches
		}
		return Elsewhere
	}
	if owner != nil && owner.Found && owner.HasOwner && owner.Owner != record.MAC {
		return OthersAddress
	}
	return matches
}

// contradict counts a mismatch, tells of it, and refuses the request if it is to be refused.
func (w *Worker) contradict(now int64, r *Request, f *found, m Mismatch) {
	refused := w.identity.Bind == BindRefuse && m != TwoCMTS
	if refused {
		w.counted.add(&w.counted.refused[m])
		r.Body, r.Hold, r.Err = nil, nil, m
		if f.static = false; w.trace == nil {
			f.learned = nil
		}
	} else {
		w.counted.add(&w.counted.logged[m])
	}
	if w.e.cfg.OnIdentity == nil || w.quiet {
		return
	}
	suppressed, ok := w.mismatches[m].take(now)
	if !ok {
		return
	}
	c, ev := &f.claim, &w.event
	*ev = IdentityEvent{Requester: r.Requester, Mismatch: m, Other: c.other, Refused: refused, Suppressed: suppressed}
	ev.MAC = c.mac
	if c.record >= 0 {
		ev.Addr = w.queries[c.record].Addr
	}
	w.e.cfg.OnIdentity(ev)
}

// lookForClone tells of a device that was behind another CMTS a moment ago. What contradicts the records is not remembered, or the
// device itself would look like the clone when it asks next.
func (w *Worker) lookForClone(now int64, r *Request, f *found, keyring *mic.Keyring) {
	t := w.e.clones.Load()
	if t == nil || r.Relayed || w.quiet {
		return
	}
	addr := address(r)
	cmts := keyring.Behind(addr)
	if cmts != 0 && t.seen(now, f.claim.mac, addr.Is6(), cmts, f.claim.mismatch == matches) {
		w.contradict(now, r, f, TwoCMTS)
	}
}

// address is where a request comes from, as records have it.
func address(r *Request) netip.Addr { return r.Client.Unmap().WithZone("") }
