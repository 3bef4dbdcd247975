package server

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"time"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/describe"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/lint/reason"
	"dcs/render/naming"
)

// Explain implements [console.Backend].
func (b *backend) Explain(_ context.Context, q console.Question) (*console.Explanation, error) {
	req := render.Request{Requester: device.Requester{Name: []byte(q.Name), Client: netip.IPv4Unspecified()}}
	out := &console.Explanation{Name: q.Name, IP: q.IP}
	if q.Name == "" {
		return nil, fmt.Errorf("%w: no file name", console.ErrQuestion)
	}
	if q.IP != "" {
		a, err := netip.ParseAddr(q.IP)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is not an IP address, such as 10.1.2.3 or 2001:db8::3", console.ErrQuestion, q.IP)
		}
		req.Client = a.Unmap()
	}
	if q.MAC != "" {
		var err error
		if req.MAC, err = device.ParseMAC(q.MAC); err != nil {
			return nil, fmt.Errorf("%w: %q is %w; write it as 0a:01:02:03:04:05", console.ErrQuestion, q.MAC, err)
		}
	}
	var word *reason.Word
	if q.Says != "" {
		w, err := reason.Parse(q.Says)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", console.ErrQuestion, err)
		}
		word = &w
	}
	x := b.explain(req)
	out.File, out.MAC, out.Static, out.Resigned = x.Name, x.MAC, x.Static, x.Resigned
	for i := range x.Matches {
		out.Matches = append(out.Matches, matchOf(&x.Matches[i]))
	}
	for i := 1; i < len(x.Captures); i++ {
		out.Captures = append(out.Captures, console.Capture{Number: i, Name: x.Groups[i], Value: x.Captures[i]})
	}
	for _, u := range x.Uses {
		out.Values = append(out.Values, console.Value{Name: u.Name, Value: u.Value, From: u.From, Pos: u.Pos.String()})
	}
	for _, sl := range x.Slots {
		out.Slots = append(out.Slots, console.Slot(sl))
	}
	b.device(x, req.Client, out)
	if word != nil {
		out.Diagnosis = b.diagnose(*word, x, req.Client, out.Device != nil)
	}
	if x.Err != nil {
		if out.Reason, out.Error = render.ReasonOf(x.Err), reasonText(x.Err); x.Refusal != naming.Allowed {
			out.Error = x.Refusal.String()
		}
		return out, nil
	}
	out.Body, out.Size = x.Body, len(x.Body)
	return out, b.content(x, req.Client, out)
}

// explain returns the engine's explanation. Its body may point into a mapping that goes away with the library, so it is copied
// while the library is certain to exist.
func (b *backend) explain(req render.Request) *render.Explanation {
	for {
		snap := b.s.engine.Library()
		x := b.s.engine.Explain(time.Now().UnixNano(), req)
		if b.s.engine.Library() == snap {
			x.Body = bytes.Clone(x.Body)
			runtime.KeepAlive(snap)
			return x
		}
	}
}

// diagnose ranks why a modem does not come online. found is false if no source has it.
func (b *backend) diagnose(w reason.Word, x *render.Explanation, ip netip.Addr, found bool) *reason.Diagnosis {
	return describe.Diagnose(w, x, &describe.Known{
		Library: b.s.engine.Library(), MIB: b.s.mib, NoFile: reasonText(x.Err), Secret: b.s.engine.Keyring().Secret(ip), NoSecret: b.s.cfg.Secrets == "" && b.s.cfg.SecretFile == "",
		UnknownDevice: b.s.devices != nil && !found,
	})
}

func matchOf(m *library.Match) console.Match {
	why := fmt.Sprintf("the pattern matches, priority %d", m.Template.Priority)
	name := m.Template.Pattern
	if m.Literal {
		why, name = "the name is its own", strings.Join(m.Template.Names, ", ")
	}
	return console.Match{Pos: m.Template.Pos().String(), Kind: m.Template.Item.Kind.String(), Name: name, Why: why}
}

// device adds what is known about the modem.
func (b *backend) device(x *render.Explanation, ip netip.Addr, out *console.Explanation) {
	if b.s.devices == nil {
		return
	}
	d, ok := b.s.devices.Explain(x.MAC, ip)
	if !ok {
		return
	}
	out.Device = &console.Device{MAC: d.MAC, IP: d.IP, Known: d.Known, Values: []console.Value{}}
	for i, v := range d.Values {
		if v != "" {
			out.Device.Values = append(out.Device.Values, console.Value{Name: d.Schema.Name(i), Value: v, From: d.From[i]})
		}
	}
}
