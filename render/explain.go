package render

import (
	"net/netip"
	"strings"

	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mapped"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

// Explanation is how a request is answered, and why.
type Explanation struct {
	Asked   string         // the name as it was asked for
	Name    string         // what the template is looked for by: that name cleaned, rewritten, and without a device behind
	Refusal naming.Refusal // why the name leads to no file, whatever the library has
	MAC     device.MAC     // of the device; zero: unknown

	Mismatch Mismatch   // how the request contradicts what is known of devices; 0: it does not
	Other    device.MAC // the device that the request's address is of; zero: none

	Static   string          // the path of the static file that is served; empty: none
	Resigned bool            // it is served with new MICs
	Matches  []library.Match // templates that fit, the one that makes the file first; beside Static those that it hides
	Groups   []string        // names of the groups of its pattern, by number
	Captures []string        // what they have matched
	Uses     []skeleton.Use  // variables that were read
	Slots    []skeleton.Slot // what a request fills in
	Body     []byte
	Err      error
}

// Explain answers a request as a Worker does, and tells how it came to the answer. A request that does not say
// which address was asked is answered as if that were 0.0.0.0 or ::; one without a client address is not checked against the
// addresses of devices.
func (e *Engine) Explain(now int64, r Request) *Explanation {
	x := &Explanation{Asked: string(r.Name)}
	if !r.Server.IsValid() {
		r.Server = noServer(r.Client)
	}
	if !r.Client.IsValid() || r.Client.IsUnspecified() {
		r.Relayed = true
	}
	w := &Worker{e: e, quiet: true, trace: x}
	batch := []Request{r}
	w.RenderBatch(now, batch)
	f := &w.found[0]
	x.MAC = x.MAC.Or(f.mac)
	x.Mismatch, x.Other = f.claim.mismatch, f.claim.other
	switch {
	case x.Mismatch != matches && w.identity.Bind == BindRefuse:
		x.Err = x.Mismatch
	case batch[0].Hold != nil:
		x.Body, x.Err = mapped.Copy(batch[0].Body)
	default:
		x.Body, x.Err = batch[0].Body, batch[0].Err
	}
	return x
}

// name notes what the library is asked for.
func (x *Explanation) name(n *naming.Name) { x.Name, x.Refusal = string(n.File), n.Refusal }

// learned notes what the name means; l is nil if the library does not have it.
func (x *Explanation) learned(snap *library.Snapshot, l *library.Learned) {
	if l != nil && l.File == nil && l.Template == nil {
		return // a template that failed to load has the name
	}
	x.Matches = snap.Matches(x.Name)
	if l == nil {
		return
	}
	x.Resigned = l.Resigned()
	if l.File != nil || x.Resigned {
		x.Static = snap.StaticFile(x.Name)
	}
	if l.File == nil {
		x.Groups, x.Captures = l.Captures()
	}
}

// skeleton makes the skeleton anew, and notes which variables it was made with and what it leaves to the request.
func (x *Explanation) skeleton(e *Engine, l *library.Learned, v *skeleton.Values) (*skeleton.Skeleton, *skeleton.Fault) {
	attrs := make(attr.Record, len(v.Attrs)) // values may lie in a mapping that does not outlive the batch
	for i, text := range v.Attrs {
		attrs[i] = strings.Clone(text)
	}
	v.Attrs = attrs
	x.MAC = v.MAC
	s, uses, fault := l.Trace(v.Attrs, v.IP.Is6())
	x.Uses = e.settle(uses, v)
	if fault == nil {
		x.Slots = s.Slots()
	}
	return s, fault
}

// noServer stands for the address that a client will ask, where that is not known yet.
func noServer(client netip.Addr) netip.Addr {
	if client.Unmap().Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// settle gives the variables that only a request settles the values of this one, and
// leaves out the defaults of those that the device has.
func (e *Engine) settle(uses []skeleton.Use, v *skeleton.Values) []skeleton.Use {
	schema := e.cfg.Library.Schema
	if e.cfg.Devices != nil {
		schema = e.cfg.Devices.Schema()
	}
	var out []skeleton.Use
	seen := map[skeleton.Use]bool{}
	for _, u := range uses {
		if text, ok := v.Text(u.Name, schema); ok && u.Value == "" && !u.Default {
			u.Value = text
		}
		if i, ok := schema.Index(u.Name); ok && !u.Captured {
			if _, has := v.Attrs.Get(i); has == u.Default {
				continue
			}
		}
		if !seen[u] {
			seen[u] = true
			out = append(out, u)
		}
	}
	return out
}
