package render

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
)

// plant is devices with addresses.
type plant struct {
	devices []attr.Device
	asked   int // look-ups that would have a source asked
}

func (p *plant) View() View           { return p }
func (p *plant) Schema() *attr.Schema { return schema }

func (p *plant) Lookup(_ int64, queries []Query) {
	for i := range queries {
		q := &queries[i]
		q.Values, q.Found, q.HasOwner, q.Addr = q.Values[:0], false, false, netip.Addr{}
		for j := range p.devices {
			d := &p.devices[j]
			if q.HasMAC && d.HasMAC && d.MAC == q.MAC {
				q.Values, q.Found, q.Addr = append(q.Values, d.Values...), true, d.IP
				break
			}
			if !q.HasMAC && d.IP == q.IP {
				q.Values, q.Found, q.Owner, q.HasOwner = append(q.Values, d.Values...), true, d.MAC, d.HasMAC
				break
			}
		}
		if !q.Found && !q.Peek {
			p.asked++
		}
		if q.Peek {
			q.Values = q.Values[:0]
		}
	}
}

var identityLibrary = map[string]string{
	"attr.dcs":  `Main "plan" { default down 64; NetworkAccess 1; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1000; } }`,
	"fault.dcs": `Main "fault" { default profile 1; NetworkAccess 1; MaxCPE $profile; }`,
	"plain.dcs": `Main "plain" { NetworkAccess 1; }`,
	"group.dcs": `Main ~ "^cm-(?P<mac>[0-9a-f]{12})\.bin$" { default down 64; NetworkAccess 1; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1000; } }`,
}

func mac(n byte) [6]byte { return [6]byte{2, 0, 0, 0, 0, n} }

func addr(s string) netip.Addr {
	if s == "" {
		return netip.Addr{}
	}
	return netip.MustParseAddr(s)
}

func identityEngine(t testing.TB, id Identity, devices Devices, ring *mic.Keyring, tell func(*IdentityEvent)) *Engine {
	t.Helper()
	if ring == nil {
		ring = mic.KeyringOf(mic.NewSecret([]byte("DOCSIS")))
	}
	static := writeLibrary(t, map[string]string{"firmware.bin": "firmware"})
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, identityLibrary)}, Static: []string{static}, MIB: mib.Default()},
		Keyring: ring, Devices: devices, Identity: id, OnIdentity: tell, Journal: 64,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// The plant: 1 and 2 are at home at an IPv4 address, 3 and 4 at an IPv6 address, 5 has a record without an address, 6 and 7 share an
// address, and at 198.18.1.8 there is somebody without a MAC address. 9 is not known.
func identityPlant() *plant {
	p := &plant{}
	for n, ip := range map[byte]string{1: "198.18.1.1", 2: "198.18.1.2", 3: "fd00::3", 4: "fd00::4", 5: "", 6: "198.18.1.6", 7: "198.18.1.6"} {
		p.devices = append(p.devices, attr.Device{MAC: mac(n), HasMAC: true, IP: addr(ip), Values: attr.Record{"gold", fmt.Sprint(n)}})
	}
	p.devices = append(p.devices, attr.Device{IP: addr("198.18.1.8"), Values: attr.Record{"gold", "8"}})
	return p
}

// TestIdentity asks in every way that names a device, from every kind of address.
func TestIdentity(t *testing.T) {
	ways := map[string]func(r *Request, n byte){
		"name, of a template with attributes": func(r *Request, n byte) { r.Name = fmt.Appendf(nil, "plan@%x", mac(n)) },
		"name, of a template without":         func(r *Request, n byte) { r.Name = fmt.Appendf(nil, "/plain@%x", mac(n)) },
		"name, of a static file":              func(r *Request, n byte) { r.Name = fmt.Appendf(nil, "firmware.bin@%x", mac(n)) },
		"group of a pattern":                  func(r *Request, n byte) { r.Name = fmt.Appendf(nil, "cm-%x.bin", mac(n)) },
		"option of a proxy":                   func(r *Request, n byte) { r.Name, r.MAC = []byte("plan"), mac(n) },
		"option of a proxy, static file":      func(r *Request, n byte) { r.Name, r.MAC = []byte("firmware.bin"), mac(n) },
		"option of anybody":                   func(r *Request, n byte) { r.Name, r.Claim = []byte("plan"), mac(n) },
		"option of anybody, plain template":   func(r *Request, n byte) { r.Name, r.Claim = []byte("plain"), mac(n) },
	}
	cases := []struct {
		what  string
		named byte
		from  string
		want  Mismatch
		other byte // 0: none
		addr  string
	}{
		{"at home", 1, "198.18.1.1", matches, 0, ""},
		{"at home, mapped", 1, "::ffff:198.18.1.1", matches, 0, ""},
		{"at home, IPv6", 3, "fd00::3", matches, 0, ""},
		{"at home, IPv6 with a zone", 3, "fd00::3%eth0", matches, 0, ""},
		{"from another's address", 2, "198.18.1.1", Elsewhere, 1, "198.18.1.2"},
		{"from another's, IPv6", 4, "fd00::3", Elsewhere, 3, "fd00::4"},
		{"from an unknown address", 1, "198.18.9.9", Elsewhere, 0, "198.18.1.1"},
		{"from an unknown address, IPv6", 3, "fd00::9", Elsewhere, 0, "fd00::3"},
		{"from an address of the other family", 1, "fd00::9", matches, 0, ""},
		{"from an address of the other family, IPv6", 3, "198.18.9.9", matches, 0, ""},
		{"from another's address of the other family", 1, "fd00::3", OthersAddress, 3, "198.18.1.1"},
		{"no address in the record, unknown address", 5, "198.18.9.9", matches, 0, ""},
		{"no address in the record, another's address", 5, "198.18.1.1", OthersAddress, 1, ""},
		{"unknown device, unknown address", 9, "198.18.9.9", matches, 0, ""},
		{"unknown device, another's address", 9, "198.18.1.1", OthersAddress, 1, ""},
		{"unknown device, another's address, IPv6", 9, "fd00::4", OthersAddress, 4, ""},
		{"the first of two with one address", 6, "198.18.1.6", matches, 0, ""},
		{"the second of two with one address", 7, "198.18.1.6", matches, 0, ""},
		{"from the address of a device without a MAC address", 5, "198.18.1.8", matches, 0, ""},
	}
	for _, bind := range []Bind{BindOff, BindLog, BindRefuse} {
		var told []IdentityEvent
		devices := identityPlant()
		e := identityEngine(t, Identity{Bind: bind}, devices, nil, func(ev *IdentityEvent) {
			ev.Name = nil
			told = append(told, *ev)
		})
		w := e.Worker()
		for way, ask := range ways {
			for _, tt := range cases {
				t.Run(fmt.Sprintf("bind %d/%s/%s", bind, way, tt.what), func(t *testing.T) {
					told = nil
					before := e.Stats()
					devices.asked = 0
					r := Request{Requester: device.Requester{Client: addr(tt.from)}, Server: server, Buf: make([]byte, 0, 4096)}
					ask(&r, tt.named)
					batch := []Request{r}
					w.RenderBatch(now, batch)
					w.mismatches = [NumMismatches]allowance{}
					want := tt.want
					if bind == BindOff {
						want = matches
					}
					refused := want != matches && bind == BindRefuse
					if got := errors.Is(batch[0].Err, fs.ErrPermission); got != refused || refused != (batch[0].Body == nil) {
						t.Errorf("refused %v, want %v: %d octets, %v", got, refused, len(batch[0].Body), batch[0].Err)
					}
					if want == matches {
						if len(told) != 0 {
							t.Errorf("told %+v", told)
						}
					} else {
						ev := IdentityEvent{
							Requester: device.Requester{Client: addr(tt.from), MAC: mac(tt.named)}, Mismatch: want, Refused: refused, Addr: addr(tt.addr),
						}
						if tt.other > 0 {
							ev.Other = mac(tt.other)
						}
						if len(told) != 1 || fmt.Sprint(told[0]) != fmt.Sprint(ev) {
							t.Errorf("told %+v\nwant %+v", told, ev)
						}
					}
					after := e.Stats()
					n := uint64(0)
					if want != matches {
						n = 1
					}
					if logged, no := after.Logged[want]-before.Logged[want], after.Refused[want]-before.Refused[want]; logged+no != n || refused != (no == 1) {
						t.Errorf("counted %d let pass and %d refused", logged, no)
					}
					if devices.asked > 1 {
						t.Errorf("sources were asked %d times", devices.asked)
					}
				})
			}
		}
	}
}

// TestIdentityOfProxies asks as a proxy does: who asks is what the proxy says, and an address of its own says nothing.
func TestIdentityOfProxies(t *testing.T) {
	for _, tt := range []struct {
		what    string
		name    string
		mac     byte // as the proxy says; 0: it does not
		from    string
		relayed bool
		want    Mismatch
	}{
		{"one device, its address", "plan@020000000001", 1, "198.18.1.1", false, matches},
		{"another device in the name", "plan@020000000002", 1, "198.18.1.1", false, OtherDevice},
		{"another device in the name, of a group", "cm-020000000002.bin", 1, "198.18.1.1", false, OtherDevice},
		{"another device in the name, address of the proxy", "plan@020000000002", 1, "198.18.9.9", true, OtherDevice},
		{"another device in the name, static file", "firmware.bin@020000000002", 1, "198.18.1.1", false, OtherDevice},
		{"its device, address of the proxy", "plan@020000000001", 1, "198.18.9.9", true, matches},
		{"no device told, address of the proxy", "plan@020000000001", 0, "198.18.9.9", true, matches},
		{"no device told, another's address", "plan@020000000002", 0, "198.18.1.1", false, Elsewhere},
		{"device told, another's address, static file", "firmware.bin", 2, "198.18.1.1", false, Elsewhere},
		{"device told, another's address", "plan", 2, "198.18.1.1", false, Elsewhere},
	} {
		t.Run(tt.what, func(t *testing.T) {
			e := identityEngine(t, Identity{Bind: BindRefuse}, identityPlant(), nil, nil)
			r := []Request{{Requester: device.Requester{Name: []byte(tt.name), Client: addr(tt.from)}, Relayed: tt.relayed, Server: server}}
			if tt.mac > 0 {
				r[0].MAC = mac(tt.mac)
			}
			x := e.Explain(now, r[0])
			e.Worker().RenderBatch(now, r)
			var got Mismatch
			errors.As(r[0].Err, &got)
			if got != tt.want || (r[0].Err == nil) != (tt.want == matches) {
				t.Errorf("%v, want %v", r[0].Err, tt.want)
			}
			if x.Mismatch != tt.want || (x.Err == nil) != (tt.want == matches) {
				t.Errorf("explained as %v, %v, want %v", x.Mismatch, x.Err, tt.want)
			}
		})
	}
}

// TestIdentityLeaves asks for what names no device, or gets no file: there is nothing to compare.
func TestIdentityLeaves(t *testing.T) {
	e := identityEngine(t, Identity{Bind: BindRefuse}, identityPlant(), nil, func(ev *IdentityEvent) { t.Errorf("told %+v", ev) })
	w := e.Worker()
	for name, want := range map[string]error{"plan": nil, "plain": nil, "firmware.bin": nil, "none@020000000002": fs.ErrNotExist} {
		r := []Request{{Requester: device.Requester{Name: []byte(name), Client: addr("198.18.1.1")}, Server: server}}
		if w.RenderBatch(now, r); !errors.Is(r[0].Err, want) {
			t.Errorf("%s: %v", name, r[0].Err)
		}
	}
	// A device that is named by its address is that device.
	r := []Request{{Requester: device.Requester{Name: []byte("plan"), Client: addr("198.18.1.2")}, Server: server, Claim: mac(2)}}
	if w.RenderBatch(now, r); r[0].Err != nil {
		t.Errorf("its own claim: %v", r[0].Err)
	}
}

// TestNoMACInName takes the form NAME@MAC away: it is a name that nothing has, and changes back at once.
func TestNoMACInName(t *testing.T) {
	e := identityEngine(t, Identity{Bind: BindLog}, identityPlant(), nil, nil)
	w := e.Worker()
	for i, no := range []bool{false, true, false, true} {
		e.SetIdentity(Identity{Bind: BindLog, NoMACInName: no})
		for name, served := range map[string]bool{"//plan@020000000001": !no, "firmware.bin@02:00:00:00:00:01": !no, "/plain": true, "cm-020000000001.bin": true} {
			r := []Request{{Requester: device.Requester{Name: []byte(name), Client: addr("198.18.1.1")}, Server: server}}
			x := e.Explain(now, r[0])
			w.RenderBatch(now, r)
			if got := r[0].Err == nil; got != served || !got && !errors.Is(r[0].Err, fs.ErrNotExist) {
				t.Errorf("step %d, %s: %v", i, name, r[0].Err)
			}
			if (x.Err == nil) != served {
				t.Errorf("step %d, %s: explained as %v", i, name, x.Err)
			}
		}
	}
}

// TestIdentityBounded has one kind of mismatch flood: so many are told a second, the others are counted, and another kind is told.
func TestIdentityBounded(t *testing.T) {
	told := map[Mismatch]int{}
	var suppressed uint64
	e := identityEngine(t, Identity{Bind: BindLog}, identityPlant(), nil, func(ev *IdentityEvent) {
		told[ev.Mismatch]++
		suppressed += ev.Suppressed
	})
	w := e.Worker()
	ask := func(at int64, name, from string) {
		w.RenderBatch(at, []Request{{Requester: device.Requester{Name: []byte(name), Client: addr(from)}, Server: server}})
	}
	for range 1000 {
		ask(now, "plan@020000000002", "198.18.1.1")
	}
	ask(now, "plan@020000000009", "198.18.1.1")
	if told[Elsewhere] != MaxFaults || told[OthersAddress] != 1 || suppressed != 0 {
		t.Errorf("reported %v, %d suppressed", told, suppressed)
	}
	ask(now+1e9, "plan@020000000002", "198.18.1.1")
	if st := e.Stats(); told[Elsewhere] != MaxFaults+1 || suppressed != 1000-MaxFaults || st.Logged[Elsewhere] != 1001 {
		t.Errorf("reported %v, %d suppressed, counted %d", told, suppressed, st.Logged[Elsewhere])
	}
}

// TestIdentityOutcomes has a refused request put down with the other device, and one that fails for another reason with the value
// at fault.
func TestIdentityOutcomes(t *testing.T) {
	for _, tt := range []struct {
		bind        Bind
		name, value string
	}{
		{BindRefuse, "plan@020000000002", "02:00:00:00:00:01"},
		{BindLog, "fault@020000000002", "gold"},
	} {
		e := identityEngine(t, Identity{Bind: tt.bind}, identityPlant(), nil, nil)
		e.Worker().RenderBatch(now, []Request{{Requester: device.Requester{Name: []byte(tt.name), Client: addr("198.18.1.1")}, Server: server}})
		n := 0
		e.Outcomes(func(o *device.Outcome) {
			n++
			if o.Err == nil || errors.Is(o.Err, Elsewhere) != (tt.bind == BindRefuse) || o.MAC != mac(2) || string(o.Value) != tt.value || o.Client != addr("198.18.1.1") {
				t.Errorf("%+v", o)
			}
		})
		if n != 1 {
			t.Errorf("%s: %d outcomes", tt.name, n)
		}
	}
}

// TestIdentityNoAllocs compares without allocating, whatever comes out.
func TestIdentityNoAllocs(t *testing.T) {
	for _, bind := range []Bind{BindLog, BindRefuse} {
		e := identityEngine(t, Identity{Bind: bind}, identityPlant(), cmtsRing(t), func(*IdentityEvent) {})
		for _, tt := range []struct{ name, from string }{
			{"plan@020000000001", "198.18.1.1"},
			{"plan@020000000002", "198.18.1.1"},
			{"plan@020000000009", "198.18.1.1"},
			{"plain@020000000002", "198.18.1.1"},
			{"firmware.bin@020000000002", "198.18.1.1"},
			{"plan@020000000003", "fd00::4"},
		} {
			w := e.Worker()
			batch := make([]Request, 16)
			for i := range batch {
				batch[i] = Request{Requester: device.Requester{Name: []byte(tt.name), Client: addr(tt.from)}, Server: server, Buf: make([]byte, 0, 4096)}
			}
			w.RenderBatch(now, batch)
			if n := testing.AllocsPerRun(100, func() { w.RenderBatch(now, batch) }); n != 0 {
				t.Errorf("bind %d, %s from %s: %v allocations", bind, tt.name, tt.from, n)
			}
		}
	}
}

// cmtsRing knows two CMTSes by name, and one by its prefix.
func cmtsRing(t testing.TB) *mic.Keyring {
	t.Helper()
	s := mic.NewSecret([]byte("DOCSIS"))
	of := func(prefix, name string) mic.Prefix {
		return mic.Prefix{Addresses: netip.MustParsePrefix(prefix), Secret: s, CMTS: name}
	}
	k, err := mic.NewKeyring(s, of("198.18.0.0/16", "north"), of("198.19.0.0/17", "south"), of("198.19.128.0/17", "south"), of("fd00::/16", "north"), of("fd01::/16", ""))
	if err != nil {
		t.Fatal(err)
	}
	return k
}
