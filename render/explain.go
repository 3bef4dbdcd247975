package render

import (
	"io/fs"
	"net/netip"
	"runtime"
	"strings"

	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mapped"
	"dcs/render/mic"
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

	owned bool // MAC was found by the request's address, which therefore matches
}

// Explain answers a request as a Worker does, and tells how it came to the answer. A request that does not say
// which address was asked is answered as if that were 0.0.0.0 or ::.
func (e *Engine) Explain(now int64, r Request) *Explanation {
	x := e.explain(now, r)
	id := e.Identity()
	if id.Bind == BindOff || x.MAC.IsZero() || x.asking() || x.Static == "" && len(x.Matches) == 0 {
		return x
	}
	e.explainIdentity(now, &r, x)
	if x.Mismatch != matches && id.Bind == BindRefuse {
		x.Body, x.Err = nil, x.Mismatch
	}
	return x
}

func (x *Explanation) asking() bool { return x.Err == errAsking }

// explainIdentity compares whom a request names with what is known of devices.
func (e *Engine) explainIdentity(now int64, r *Request, x *Explanation) {
	named := x.MAC
	if !r.MAC.IsZero() && !x.owned && r.MAC != named {
		x.Mismatch, x.Other = OtherDevice, r.MAC
		return
	}
	if e.cfg.Devices == nil || r.Relayed || x.owned || !r.Client.IsValid() || r.Client.IsUnspecified() {
		return // nobody says where the request comes from, or the record is that of the address
	}
	q := []Query{{MAC: named, Peek: true}, {IP: address(r), Peek: true}}
	view := e.cfg.Devices.View()
	lookupCopy(view, now, q)
	runtime.KeepAlive(view)
	x.Mismatch = contradiction(&q[0], &q[1], address(r))
	if x.Mismatch != matches && !q[1].Owner.IsZero() && q[1].Owner != named {
		x.Other = q[1].Owner
	}
}

func (e *Engine) explain(now int64, r Request) *Explanation {
	snap := e.snap.Load()
	id := e.Identity()
	asked := e.names.Load().Read(r.Name, !id.NoMACInName, new(naming.Scratch))
	name := asked.File
	x := &Explanation{Asked: string(r.Name), Name: string(name), Refusal: asked.Refusal, MAC: asked.MAC}
	if x.Refusal != naming.Allowed {
		x.Err = refusedName(x.Refusal)
		return x
	}
	x.Matches = snap.Matches(x.Name)
	l := snap.Find(library.Hash(name), name)
	switch {
	case l == nil:
		x.Err = fs.ErrNotExist
		return x
	case l.File != nil:
		x.Static = snap.StaticFile(x.Name)
		x.Body, x.Err = mapped.Copy(l.File.Data)
		x.MAC = x.MAC.Or(r.MAC)
		return x
	case l.Template == nil:
		x.Matches, x.Err = nil, l.Fault()
		return x
	}
	if x.Resigned = l.Resigned(); x.Resigned {
		x.Static = snap.StaticFile(x.Name)
	}
	x.Groups, x.Captures = l.Captures()
	x.MAC = x.MAC.Or(l.MAC).Or(r.MAC)
	if l.Template.Waiting() {
		x.Err = errAsking
		return x
	}
	if !r.Server.IsValid() {
		r.Server = noServer(r.Client)
	}
	v := skeleton.Values{Now: now, IP: r.Client.Unmap(), Server: r.Server.Unmap(), MAC: x.MAC}
	if e.cfg.Devices != nil && l.Template.Attributes() {
		q := []Query{{MAC: x.MAC, IP: v.IP}}
		view := e.cfg.Devices.View()
		lookupCopy(view, now, q)
		runtime.KeepAlive(view)
		if q[0].Asking {
			x.Err = errAsking
			return x
		}
		if v.Attrs = q[0].Values; !q[0].Owner.IsZero() {
			x.MAC, x.owned = q[0].Owner, true
			v.MAC = x.MAC
		}
	}
	s, uses, fault := l.Trace(v.Attrs, v.IP.Is6())
	x.Uses = e.settle(uses, &v)
	if fault == nil {
		x.Slots = s.Slots()
		x.Body, fault = build(s, &v, e.keyring.Load().Secret(v.IP))
	}
	if fault != nil {
		x.Err = fault
	}
	return x
}

// lookupCopy answers queries with values in memory of their own. What cannot be read is not known yet.
func lookupCopy(view View, now int64, queries []Query) {
	for range 2 { // values that cannot be read are none the second time
		var at uintptr
		read := mapped.ReadAt(&at, func() {
			view.Lookup(now, queries)
			for i := range queries {
				for j, v := range queries[i].Values {
					queries[i].Values[j] = strings.Clone(v)
				}
			}
		})
		if read {
			return
		}
		if file, ok := view.(Faulter); ok {
			file.Fault(at)
		}
	}
	for i := range queries {
		queries[i].Values, queries[i].Found, queries[i].Asking = queries[i].Values[:0], false, true
	}
}

// noServer stands for the address that a client will ask, where that is not known yet.
func noServer(client netip.Addr) netip.Addr {
	if client.Unmap().Is6() {
		return netip.IPv6Unspecified()
	}
	return netip.IPv4Unspecified()
}

// build makes one file, with scratch memory of its own.
func build(s *skeleton.Skeleton, v *skeleton.Values, secret *mic.Secret) ([]byte, *skeleton.Fault) {
	var sc skeleton.Scratch
	body, fault := s.Build(nil, v, &sc)
	if fault != nil {
		return nil, fault
	}
	return s.Sign(body, secret, &sc)
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
