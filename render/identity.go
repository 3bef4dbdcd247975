package render

import (
	"io/fs"
	"net/netip"

	"dcs/render/device"
	"dcs/render/mic"
)

// Identity configures how far a request is trusted if it names a device, by a MAC address in its file name or by a TFTP
// option.
type Identity struct {
	Bind Bind
	// NoMACInName disables the form NAME@MAC: the @ is an ordinary character. A pattern's group called mac still names the
	// device: the library's author wrote it.
	NoMACInName bool
}

// Bind is what happens to a request that names a device but comes from another device's address.
type Bind uint8

// The settings.
const (
	BindOff    Bind = iota // not checked
	BindLog                // answered, counted and reported
	BindRefuse             // refused, counted and reported
)

// Mismatch is how a request contradicts the device records. As an error it wraps [fs.ErrPermission].
type Mismatch uint8

// The mismatches.
const (
	matches       Mismatch = iota
	OthersAddress          // another device's record has the address, and the named one's has none
	Elsewhere              // the named device's record has another address
	OtherDevice            // the proxy reports a different device
	TwoCMTS                // the device was behind another CMTS less than a minute ago; never refused, as sources can be forged
	NumMismatches          // the number of values, 0 included
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

// Error describes the mismatch.
func (m Mismatch) Error() string { return mismatchTexts[m] }

// Is makes a refused request one that lacks permission, TFTP error 2 and HTTP status 403.
func (Mismatch) Is(target error) bool { return target == fs.ErrPermission }

// IdentityEvent is a request that contradicts the device records.
type IdentityEvent struct {
	device.Requester // MAC is the device that the request names

	Mismatch   Mismatch
	Addr       netip.Addr // the address that the named device's record has; zero: none
	Other      device.MAC // the device whose record has Client, or that the proxy reports; zero: none
	Refused    bool
	Suppressed uint64 // number of mismatches of this kind that were not reported since the last report
}

// SetIdentity replaces Config.Identity, with immediate effect.
func (e *Engine) SetIdentity(id Identity) { e.identity.Store(&id) }

// Identity returns the current settings.
func (e *Engine) Identity() Identity { return *e.identity.Load() }

// findClones allocates the table of clones if the keyring assigns addresses to CMTSes.
func (e *Engine) findClones(k *mic.Keyring) {
	if k.Prefixes() > 0 && e.clones.Load() == nil {
		e.clones.CompareAndSwap(nil, new(clones))
	}
}

// claim is the device that a request names, with the queries that check it.
type claim struct {
	mac      device.MAC // zero: the request names none
	record   int        // the query for the device's record; -1: there is none
	owner    int        // the query for the owner of the request's address; -1: there is none
	mismatch Mismatch
	other    device.MAC // zero: none
}

// claims records the device that a request for a file names, and queries the device's record. The address of a Relayed
// request is ignored; the device that the proxy reports, if any, is compared with the one in the name.
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
	c.record = w.ask(Query{MAC: c.mac, Peek: true})
}

// ask adds a query, and returns its index.
func (w *Worker) ask(q Query) int {
	at := len(w.queries)
	w.queries = w.queries[:at+1]
	q.Values = w.queries[at].Values[:0]
	w.queries[at] = q
	return at
}

// judge compares the devices that requests name with their records, once the queries are answered. If a record has another address or none, the
// owner of the request's address is looked up; in a plant whose records have addresses, that is rare.
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
	if c.mismatch != matches && owner != nil && !owner.Owner.IsZero() && owner.Owner != c.mac {
		c.other = owner.Owner
	}
}

// contradiction returns the mismatch of a device that is named from addr: record is its own, owner that of the address, nil if it was
// not looked up. An address of another family than the record's is no contradiction: a modem may have both.
func contradiction(record, owner *Query, addr netip.Addr) Mismatch {
	if own := record.Addr; record.Found && own.IsValid() && own.Is4() == addr.Is4() {
		if own == addr {
			return matches
		}
		return Elsewhere
	}
	if owner != nil && owner.Found && !owner.Owner.IsZero() && owner.Owner != record.MAC {
		return OthersAddress
	}
	return matches
}

// contradict counts and reports a mismatch, and refuses the request if Bind says so.
func (w *Worker) contradict(now int64, r *Request, f *found, m Mismatch) {
	refused := w.identity.Bind == BindRefuse && m != TwoCMTS
	if refused {
		w.counted.add(&w.counted.refused[m])
		r.Body, r.Hold, r.Err = nil, nil, m
		if f.static = false; w.trace == nil {
			f.rendered = false
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

// lookForClone reports a device that was behind another CMTS recently. Requests that contradict the records are not remembered, or the
// real device would look like the clone on its next request.
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

// address returns the client's address in the form of device records.
func address(r *Request) netip.Addr { return r.Client.Unmap().WithZone("") }
