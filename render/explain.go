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

// Explanation describes how a request is answered, and why.
type Explanation struct {
	Asked   string         // the requested name
	Name    string         // the name that is looked up: cleaned, rewritten, and without @MAC
	Refusal naming.Refusal // why the name gets no file, whatever the library contains
	MAC     device.MAC     // of the device; zero: unknown

	Mismatch Mismatch   // how the request contradicts the device records; 0: it does not
	Other    device.MAC // the device that has the request's address; zero: none

	Static   string          // the path of the static file that is served; empty: none
	Resigned bool            // it is served with new MICs
	Matches  []library.Match // templates that match, first the one that renders the file; with Static, those that it hides
	Groups   []string        // names of the groups of its pattern, by number
	Captures []string        // what they matched
	Uses     []skeleton.Use  // variables that were read
	Slots    []skeleton.Slot // places that each request fills
	Body     []byte
	Err      error
}

// Explain answers a request as a Worker does, and describes how. If Server is missing, it is taken to be 0.0.0.0 or ::;
// a request without a Client address is not compared with the addresses of devices.
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

// name records the name that is looked up.
func (x *Explanation) name(n *naming.Name) { x.Name, x.Refusal = string(n.File), n.Refusal }

// found records what the name leads to, if it is known.
func (x *Explanation) found(snap *library.Snapshot, l *library.Found, known bool) {
	if known && l.File == nil && l.Template == nil {
		return // a template that failed to load has the name
	}
	if x.Matches = snap.Matches(x.Name); !known {
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

// skeleton makes the skeleton again, and records the variables that were read and the slots that are left to the request.
func (x *Explanation) skeleton(e *Engine, l *library.Found, v *skeleton.Values) (*skeleton.Skeleton, *skeleton.Fault) {
	attrs := make(attr.Record, len(v.Attrs)) // values may lie in a mapping that does not outlive the batch
	for i, text := range v.Attrs {
		attrs[i] = strings.Clone(text)
	}
	v.Attrs = attrs
	x.MAC = v.MAC
	s, uses, fault := l.Trace(v.Attrs, v.IP.Is6())
	x.Uses = e.fillIn(uses, v)
	if fault == nil {
		x.Slots = s.Slots()
	}
	return s, fault
}

// noServer returns a placeholder for an unknown server address, of the client's address family.
func noServer(client netip.Addr) netip.Addr {
	if client.Unmap().Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// fillIn adds the values of this request to the variables that are known at request time only, and drops the defaults of attributes that the
// device has.
func (e *Engine) fillIn(uses []skeleton.Use, v *skeleton.Values) []skeleton.Use {
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
