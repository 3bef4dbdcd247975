package server

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/describe"
	"dcs/cmd/internal/metrics"
	"dcs/cmd/internal/version"
	"dcs/fastpath"
	"dcs/render"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/naming"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// journal is how many outcomes workers are to keep.
func journal(cfg *config.Config) int {
	if len(cfg.Admin) == 0 {
		return 0
	}
	return assemble.JournalSize
}

// libraryStatus is what has become of loading the library.
type libraryStatus struct {
	mu     sync.Mutex
	loaded time.Time
	failed time.Time // zero: the last reload did not
	errs   []error

	loads, failures uint64
}

func (l *libraryStatus) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.loads++
		l.loaded, l.failed, l.errs = time.Now(), time.Time{}, nil
		return
	}
	l.failures++
	l.failed, l.errs = time.Now(), assemble.Flatten(err)
	if l.loaded.IsZero() {
		l.loaded = l.failed // the server has started with what is good of it
	}
}

// backend shows the server to the console.
type backend struct {
	s       *server
	front   *fastpath.Server
	started time.Time
}

// Facts implements [console.Backend].
func (b *backend) Facts() console.Facts {
	host, _ := os.Hostname() // for the title alone
	f := console.Facts{Version: version.String(), Go: runtime.Version(), Host: host, Started: b.started}
	f.Transport, f.Why = string(b.s.in.Kind()), b.s.in.Why()
	for _, a := range b.s.in.Addrs() {
		f.Listen = append(f.Listen, a.String())
	}
	return f
}

// Metrics implements [console.Backend].
func (b *backend) Metrics() *metrics.Values { return metrics.Read(b.s.readWorkers, b.s.readEngine) }

// reasonText says in words why a request got no file; "" if err is nil.
func reasonText(err error) string {
	switch render.ReasonOf(err) {
	case "":
		return ""
	case render.Asking:
		return "looking the device up; the modem's retry will be answered"
	case render.UnknownName:
		return "no template and no static file has this name"
	}
	return err.Error()
}

// validText returns text that JSON can hold.
func validText(b []byte) string { return strings.ToValidUTF8(string(b), "\ufffd") }

// Outcomes implements [console.Backend].
func (b *backend) Outcomes(each func(console.Event)) uint64 {
	return b.s.engine.Outcomes(func(o *device.Outcome) {
		e := console.Event{
			Time: time.Unix(0, o.Time), Name: validText(o.Name), Client: o.Client.Unmap(), MAC: o.MAC.String(), Served: o.Err == nil, Size: o.Size,
			Reason: o.Reason, Text: reasonText(o.Err), Value: validText(o.Value),
		}
		if o.Truncated {
			e.Name += "…"
		}
		each(e)
	})
}

// Library implements [console.Backend].
func (b *backend) Library() console.Library {
	snap := b.s.engine.Library()
	st := b.s.library
	st.mu.Lock()
	defer st.mu.Unlock()
	l := console.Library{
		Loaded: st.loaded, Failed: st.failed, Static: snap.StaticFiles(), Withheld: snap.Broken(),
		Templates: []console.Template{}, Warnings: []console.Message{}, Errors: []console.Message{},
	}
	for _, t := range snap.Templates() {
		l.Templates = append(l.Templates, console.Template{
			Kind: t.Item.Kind.String(), Names: t.Names, Pattern: t.Pattern, Priority: t.Priority, Pos: t.Pos().String(),
		})
	}
	for _, w := range snap.Warnings {
		l.Warnings = append(l.Warnings, console.Message{Pos: w.Pos.String(), Text: w.Msg})
	}
	for _, err := range st.errs {
		l.HeldBack = l.HeldBack || errors.Is(err, render.ErrHeldBack)
		m := console.Message{Text: err.Error()}
		var at *syntax.Error
		if errors.As(err, &at) {
			m = console.Message{Pos: at.Pos.String(), Text: at.Msg}
		}
		l.Errors = append(l.Errors, m)
	}
	return l
}

// Reload implements [console.Backend].
func (b *backend) Reload(ctx context.Context, force bool) error {
	answer := make(chan error, 1)
	select {
	case b.s.reloads <- reloadRequest{force, answer}:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

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
		if st.Held != nil {
			src.Held, src.HeldChanges = assemble.HeldError(st.Name, st.Held), st.HeldBack
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
	b.s.log.Info("devices are to be loaded anew", "source", cmp.Or(source, "all"), "force", force)
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
	b.s.tellLimits("limits set on the admin page")
	return nil
}

// Explain implements [console.Backend].
func (b *backend) Explain(_ context.Context, q console.Question) (*console.Explanation, error) {
	req := render.Request{Requester: device.Requester{Name: []byte(q.Name), Client: netip.IPv4Unspecified()}}
	out := &console.Explanation{Name: q.Name, IP: q.IP}
	if q.Name == "" {
		return nil, fmt.Errorf("%w: the name of a file is missing", console.ErrQuestion)
	}
	if q.IP != "" {
		a, err := netip.ParseAddr(q.IP)
		if err != nil {
			return nil, fmt.Errorf("%w: %q is no IP address, such as 10.1.2.3 or 2001:db8::3", console.ErrQuestion, q.IP)
		}
		req.Client = a.Unmap()
	}
	if q.MAC != "" {
		var err error
		if req.MAC, err = device.ParseMAC(q.MAC); err != nil {
			return nil, fmt.Errorf("%w: %q is %w; write it as 0a:01:02:03:04:05", console.ErrQuestion, q.MAC, err)
		}
	}
	x := b.explain(req)
	out.File, out.Static, out.Resigned = x.Name, x.Static, x.Resigned
	out.MAC = x.MAC.String()
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
		out.Slots = append(out.Slots, console.Slot{Offset: sl.Offset, Width: sl.Width, What: sl.What, Pos: sl.Pos})
	}
	b.device(x, req.Client, out)
	if x.Err != nil {
		if out.Reason, out.Error = render.ReasonOf(x.Err), reasonText(x.Err); x.Refusal != naming.Allowed {
			out.Error = x.Refusal.String()
		}
		return out, nil
	}
	out.Body, out.Size = x.Body, len(x.Body)
	return out, b.content(x, req.Client, out)
}

// explain asks the engine. What it answers may lie in a mapping that goes when the library
// does, so it is copied while that is sure to be there.
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

func matchOf(m *library.Match) console.Match {
	why := fmt.Sprintf("the pattern matches, priority %d", m.Template.Priority)
	name := m.Template.Pattern
	if m.Literal {
		why, name = "the name is its own", strings.Join(m.Template.Names, ", ")
	}
	return console.Match{Pos: m.Template.Pos().String(), Kind: m.Template.Item.Kind.String(), Name: name, Why: why}
}

// device adds what is known of the modem.
func (b *backend) device(x *render.Explanation, ip netip.Addr, out *console.Explanation) {
	if b.s.devices == nil {
		return
	}
	d, ok := b.s.devices.Explain(x.MAC, ip)
	if !ok {
		return
	}
	out.Device = &console.Device{Known: d.Known, Values: []console.Value{}}
	if !d.MAC.IsZero() {
		out.Device.MAC = net.HardwareAddr(d.MAC[:]).String()
	}
	if d.IP.IsValid() {
		out.Device.IP = d.IP.String()
	}
	for i, v := range d.Values {
		if v != "" {
			out.Device.Values = append(out.Device.Values, console.Value{Name: d.Schema.Name(i), Value: v, From: d.From[i]})
		}
	}
}

// content takes the file apart.
func (b *backend) content(x *render.Explanation, ip netip.Addr, out *console.Explanation) error {
	if describe.IsText(x) || x.Static != "" && utf8.Valid(x.Body) && !bytes.ContainsRune(x.Body, 0) {
		out.Text = string(x.Body)
		return nil
	}
	if len(x.Body) > maxDecoded {
		return nil
	}
	tree, damage := tlv.Decode(x.Body)
	if damage != nil {
		if x.Static == "" {
			out.Notes = append(out.Notes, damage.Error())
		}
		return nil
	}
	n := assemble.MIBNames{Path: b.s.cfg.MIBPath, Prefer: b.s.cfg.MIBPrefer}
	index, _ := n.Index() // the log has told what is wrong with modules
	described, err := tree.JSON(index)
	if err != nil {
		return err
	}
	var file struct{ TLVs []describedTLV }
	if err := json.Unmarshal(described, &file); err != nil {
		return err
	}
	out.Tree = flattenTree(nil, tree.Nodes, file.TLVs, "", 0)
	if tree.Dialect == tlv.PS {
		return nil // it holds no integrity value
	}
	report, err := mic.Verify(x.Body, b.s.engine.Keyring().Secret(ip))
	if err != nil {
		out.Notes = append(out.Notes, err.Error())
		return nil
	}
	for _, m := range describe.Verdicts(tree.Dialect, &report) {
		out.MICs = append(out.MICs, console.MIC{Name: m.Name, Verdict: m.Verdict, Note: m.Note})
	}
	out.Notes = append(out.Notes, report.Notes...)
	return nil
}

// maxDecoded is the longest file that is taken apart: modems' files are far shorter, and firmware is none.
const maxDecoded = 64 << 10

// describedTLV is one TLV as [tlv.Tree.JSON] describes it.
type describedTLV struct {
	Name     string
	Value    any
	Hex      string
	Note     string
	Children []describedTLV
}

func flattenTree(out []console.TLV, nodes []*tlv.Node, d []describedTLV, path string, depth int) []console.TLV {
	for i, n := range nodes {
		t := console.TLV{
			Path: path + strconv.Itoa(int(n.Code)), Depth: depth, Name: d[i].Name, Offset: n.Offset, Length: len(n.Raw), Head: len(n.Raw) - len(n.Value), Note: d[i].Note,
			Group: len(n.Children) > 0,
		}
		if !t.Group {
			t.Value = valueText(d[i].Value)
			if t.Value == "" && d[i].Hex != "" {
				t.Value = "0x" + d[i].Hex
			}
		}
		out = append(out, t)
		out = flattenTree(out, n.Children, d[i].Children, t.Path+".", depth+1)
	}
	return out
}

func valueText(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, x := range v {
			parts = append(parts, valueText(x))
		}
		return strings.Join(parts, ", ")
	case map[string]any: // an SNMP object
		text := func(key string) string { return valueText(v[key]) }
		value := text("value")
		switch {
		case text("label") != "":
			value = text("label") + "(" + value + ")"
		case v["value"] == nil:
			value = "0x" + text("hex")
		}
		return fmt.Sprintf("%s = %s %s", cmp.Or(text("name"), text("oid")), text("type"), value)
	}
	return fmt.Sprint(v)
}
