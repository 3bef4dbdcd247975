package render

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

// fleet is a few devices in memory.
type fleet map[[6]byte]attr.Record

func (f fleet) View() View { return f }

func (f fleet) Schema() *attr.Schema { return schema }

func (f fleet) Lookup(_ int64, queries []Query) {
	for i := range queries {
		q := &queries[i]
		if q.Values, q.Asking = q.Values[:0], false; !q.MAC.IsZero() {
			q.Values = append(q.Values, f[q.MAC]...)
		}
	}
}

var schema, _ = attr.NewSchema("profile", "down", "name")

// The file of 400 octets that DESIGN's figures speak of: service flows, SNMP objects, TLVs 19 and 20.
const common = `
Block base {
	NetworkAccess 1;
	BaselinePrivacy { AuthTimeout 10; ReAuthTimeout 10; AuthGraceTime 600; OperTimeout 10; ReKeyTimeout 10; TEKGraceTime 600; AuthRejectTimeout 60; SAMapWaitTimeout 1; SAMapMaxRetries 4; }
	SnmpMibObject docsDevNmAccessIp.1 IPAddress 198.18.0.10;
	SnmpMibObject docsDevNmAccessIpMask.1 IPAddress 255.255.255.255;
	SnmpMibObject docsDevNmAccessCommunity.1 String "manager";
	SnmpMibObject docsDevNmAccessControl.1 Integer readWrite;
	SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x40;
	SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo;
	SnmpMibObject docsDevSwServer.0 IPAddress 198.18.0.11;
	SnmpMibObject docsDevEvReporting.5 HexString 0x70;
	SnmpMibObject docsDevEvThrottleAdminStatus.0 Integer 1;
	SnmpMibObject sysContact.0 String "noc@example.net";
	MaxCPE 4;
	UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; TrafficPriority 1; MaxRateSustained 5000000; MaxTrafficBurst 3044; SchedulingType 2; }
	GlobalPrivacyEnable 1;
}
`

var librarySource = map[string]string{
	"blocks.dcs": common,
	"static.dcs": `Main "static" { include base; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50000000; MaxTrafficBurst 3044; } }`,
	"stamped.dcs": `Main "time+ip" { include base; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50000000; MaxTrafficBurst 3044; }
		TftpTimestamp $time; TftpModemAddress $ip; }`,
	"device.dcs": `Main "device" { include base; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1000; MaxTrafficBurst 3044; }
		TftpTimestamp $time; TftpModemAddress $ip; }`,
	"varwidth.dcs": `Main "varwidth" { include base; DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; ServiceClassName "$name"; MaxRateSustained $down * 1000; MaxTrafficBurst 3044; }
		TftpTimestamp $time; TftpModemAddress $ip; }`,
	"tiers.dcs": `Main ~ "^isrrip(?P<cpe>[1-9]|1[0-6])bw(?P<tier>[0-9]+)\.bin$" { MaxCPE $cpe; select $tier { 1 { NetworkAccess 1; } default { reject "no such tier"; } } }`,
	"ext.dcs": `Main "ext" { NetworkAccess 1; TftpTimestamp $time; VendorSpecific { VendorIdentifier 0xffffff;
		ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x10; } } }`,
	"read.dcs": `Main "read" { default profile createAndGo; default down 0x01; SnmpMibObject docsDevNmAccessStatus.1 Integer $profile;
		SnmpMibObject .1.3.6.1 Counter64 $down; }`,
	"mta.dcs":     `Mta "mta" { hash eu; SnmpMibObject sysLocation.0 String "$name"; }`,
	"router.dcs":  `Text ~ "^router-(?P<site>[a-z0-9]+)\.conf$" from "router.tmpl"`,
	"router.tmpl": "hostname $site\nip address $ip # costs $$0\n",
}

var devices = fleet{
	{2, 0, 0, 0, 0, 1}: {"gold", "512", "gold"},
	{2, 0, 0, 0, 0, 2}: {"gold", "9999999999", "a name that is far too long"},
	{2, 0, 0, 0, 0, 3}: {"active", "18446744073709551615", "x"},
}

func writeLibrary(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func newEngine(t testing.TB, files map[string]string) *Engine {
	t.Helper()
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, files)}, MIB: mib.Default()},
		Keyring: mic.KeyringOf(mic.NewSecret([]byte("DOCSIS"))), Devices: devices,
	})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

const now = 1700000000e9

var (
	client = netip.MustParseAddr("198.18.5.9")
	server = netip.MustParseAddr("198.18.0.1")
)

func request(name string) Request {
	return Request{Requester: device.Requester{Name: []byte(name), Client: client}, Server: server, Buf: make([]byte, 0, 4096)}
}

// TestBatch renders requests of all sorts in batches of all sizes: each file is the one
// that it is alone, and verifies.
func TestBatch(t *testing.T) {
	e := newEngine(t, librarySource)
	secret := mic.NewSecret([]byte("DOCSIS"))
	names := []string{
		"static", "time+ip", "device@020000000001", "varwidth@02:00:00:00:00:01", "isrrip8bw1.bin", "ext",
		"mta@020000000001", "router-a7.conf", "none", "isrrip8bw2.bin", "device", "/static",
	}
	want := map[string][]byte{}
	w := e.Worker()
	for _, n := range names {
		r := []Request{request(n)}
		w.RenderBatch(now, r)
		want[n] = r[0].Body
		switch n {
		case "none", "isrrip8bw2.bin", "device":
			if !errors.Is(r[0].Err, fs.ErrNotExist) || r[0].Body != nil {
				t.Errorf("%s: body %x, error %v", n, r[0].Body, r[0].Err)
			}
		case "router-a7.conf":
			if got := string(r[0].Body); got != "hostname a7\nip address 198.18.5.9 # costs $0\n" {
				t.Errorf("%s: %q", n, got)
			}
		default:
			if r[0].Err != nil {
				t.Fatalf("%s: %v", n, r[0].Err)
			}
			report, err := mic.Verify(r[0].Body, secret)
			if err != nil || !report.OK() {
				t.Errorf("%s: %+v, %v", n, report, err)
			}
		}
	}
	if n := len(want["time+ip"]); n < 380 || n > 420 {
		t.Errorf("the file of 400 octets has %d", n)
	}
	for size := 1; size <= 40; size++ {
		batch := make([]Request, size)
		for i := range batch {
			batch[i] = request(names[(i*7+size)%len(names)])
		}
		w.RenderBatch(now, batch)
		for i := range batch {
			if n := string(batch[i].Name); !bytes.Equal(batch[i].Body, want[n]) {
				t.Fatalf("batch of %d: %s differs from what it is alone:\n%x\n%x", size, n, batch[i].Body, want[n])
			}
		}
	}
}

func TestNoAllocs(t *testing.T) {
	e := newEngine(t, librarySource)
	for _, tt := range []struct{ what, name string }{
		{"static", "static"},
		{"stamped", "time+ip"},
		{"by device", "device@020000000001"},
		{"of varying width", "varwidth@020000000001"},
		{"captures", "isrrip8bw1.bin"},
		{"extended MIC", "ext"},
		{"text", "router-a7.conf"},
		{"MTA", "mta@020000000001"},
		{"label and great number", "read@020000000003"},
		{"defaults", "read"},
		{"unknown name", "none"},
		{"rejected", "isrrip8bw2.bin"},
		{"missing attribute", "device"},
		{"value out of range", "device@020000000002"},
		{"text too long", "varwidth@020000000002"},
	} {
		t.Run(tt.what, func(t *testing.T) {
			w := e.Worker()
			batch := make([]Request, 16)
			for i := range batch {
				batch[i] = request(tt.name)
			}
			w.RenderBatch(now, batch)
			if n := testing.AllocsPerRun(1000, func() { w.RenderBatch(now, batch) }); n != 0 {
				t.Errorf("%v allocations", n)
			}
		})
	}
	t.Run("address of the other family", func(t *testing.T) {
		w := e.Worker()
		batch := []Request{request("time+ip")}
		batch[0].Client = netip.MustParseAddr("fd00::1")
		w.RenderBatch(now, batch)
		if n := testing.AllocsPerRun(1000, func() { w.RenderBatch(now, batch) }); n != 0 || batch[0].Err == nil {
			t.Errorf("%v allocations, %v", n, batch[0].Err)
		}
	})
	t.Run("unknown names, all different", func(t *testing.T) {
		w := e.Worker()
		batch := []Request{request("name-00000000.bin")}
		n := uint64(0)
		if a := testing.AllocsPerRun(20000, func() {
			n++
			copy(batch[0].Name[5:], fmt.Appendf(batch[0].Buf, "%08x", n))
			w.RenderBatch(now, batch)
		}); a > 1 { // one for the number that Appendf is given
			t.Errorf("%v allocations", a)
		}
	})
}

// TestUnknownNames asks for a great many names that nothing has: memory stays as it is.
func TestUnknownNames(t *testing.T) {
	e := newEngine(t, librarySource)
	w := e.Worker()
	total := 10_000_000
	if testing.Short() || raceEnabled {
		total = 200_000
	}
	batch := make([]Request, 64)
	for i := range batch {
		batch[i] = request("name-0123456789abcdef.bin")
	}
	ask := func(from, to int) {
		for n := from; n < to; {
			for i := range batch {
				hexInto(batch[i].Name[5:21], uint64(n))
				n++
			}
			w.RenderBatch(now, batch)
		}
	}
	ask(0, total/10)
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	ask(total/10, total)
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 1<<20 {
		t.Errorf("the heap has grown by %d octets", grown)
	}
	if n := e.Stats().Unknown; n < uint64(total) {
		t.Errorf("%d unknown names counted of %d", n, total)
	}
}

func hexInto(dst []byte, n uint64) {
	for i := len(dst) - 1; i >= 0; i-- {
		dst[i] = "0123456789abcdef"[n&15]
		n >>= 4
	}
}

// TestFirstLoad: what is good of a library serves from the start, and what is mended since; once all of it was good,
// nothing that is not replaces it.
func TestFirstLoad(t *testing.T) {
	file := func(cpe string) string { return "Main { MaxCPE " + cpe + "; }" }
	dir := writeLibrary(t, map[string]string{"good.dcs": file("1"), "one.dcs": file("x"), "two.dcs": file("y")})
	e, err := NewEngine(Config{Library: library.Config{Dirs: []string{dir}, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret(nil))})
	if e == nil || err == nil {
		t.Fatalf("engine %v, error %v; want both", e, err)
	}
	w := e.Worker()
	serves := func(want ...string) {
		t.Helper()
		for _, name := range []string{"good", "one", "two"} {
			reqs := []Request{request(name)}
			w.RenderBatch(now, reqs)
			if got := reqs[0].Err == nil; got != slices.Contains(want, name) {
				t.Errorf("%s: %v; served should be %v", name, reqs[0].Err, want)
			}
		}
	}
	serves("good")
	for _, step := range []struct {
		name, text string
		whole      bool
		want       []string
	}{
		{"one", file("2"), false, []string{"good", "one"}},
		{"two", file("3"), true, []string{"good", "one", "two"}},
		{"one", file("z"), false, []string{"good", "one", "two"}},
	} {
		if err := os.WriteFile(filepath.Join(dir, step.name+".dcs"), []byte(step.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := e.Reload(false); (err == nil) != step.whole {
			t.Errorf("%s: %v", step.name, err)
		}
		serves(step.want...)
	}
	if e, err := NewEngine(Config{Library: library.Config{Dirs: []string{dir + "-missing"}, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret(nil))}); e != nil || err == nil {
		t.Errorf("no directory: engine %v, error %v", e, err)
	}
}

// TestReload loads one version after another while workers render: every file is wholly
// of one version, a bad version changes nothing, and no request is lost.
func TestReload(t *testing.T) {
	source := func(version int) string {
		return fmt.Sprintf(`Main "m" { MaxCPE %d; UsServiceFlow { UsServiceFlowRef %d; } TftpTimestamp $time; MaxClassifiers %d; }`, version, version, version)
	}
	dir := writeLibrary(t, map[string]string{"m.dcs": source(1)})
	e, err := NewEngine(Config{Library: library.Config{Dirs: []string{dir}, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret(nil))})
	if err != nil {
		t.Fatal(err)
	}
	var done atomic.Bool
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			w := e.Worker()
			secret := mic.NewSecret(nil)
			batch := make([]Request, 8)
			for i := range batch {
				batch[i] = request("m")
			}
			for !done.Load() {
				w.RenderBatch(now, batch)
				for _, r := range batch {
					b := r.Body
					if r.Err != nil || len(b) != 56 {
						t.Errorf("%x, %v", b, r.Err)
						return
					}
					v := b[2]
					if b[8] != v || b[18] != v {
						t.Errorf("two versions in one file: %x", b)
						return
					}
					if rep, err := mic.Verify(b, secret); err != nil || !rep.OK() {
						t.Errorf("%x: %+v, %v", b, rep, err)
						return
					}
				}
			}
		})
	}
	for v := 2; v < 60; v++ {
		text := source(v)
		bad := v%10 == 0
		if bad {
			text = strings.Replace(text, ";", "", 1)
		}
		if err := os.WriteFile(filepath.Join(dir, "m.dcs"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if err := e.Reload(false); (err != nil) != bad {
			t.Errorf("version %d: %v", v, err)
		}
	}
	done.Store(true)
	wg.Wait()
}

func TestSetKeyring(t *testing.T) {
	e := newEngine(t, librarySource)
	w := e.Worker()
	for _, key := range []string{"DOCSIS", "other", "DOCSIS", ""} {
		secret := mic.NewSecret([]byte(key))
		e.SetKeyring(mic.KeyringOf(secret))
		batch := []Request{request("static"), request("time+ip"), request("ext")}
		w.RenderBatch(now, batch)
		for _, r := range batch {
			if rep, err := mic.Verify(r.Body, secret); err != nil || !rep.OK() {
				t.Errorf("%s under %q: %+v, %v", r.Name, key, rep, err)
			}
		}
	}
}

// keyringOf makes a keyring of n CMTSes, each with a secret and 198.18.n.0/24 of its own.
func keyringOf(t testing.TB, n int) (*mic.Keyring, func(netip.Addr) *mic.Secret) {
	t.Helper()
	def := mic.NewSecret([]byte("DOCSIS"))
	var prefixes []mic.Prefix
	for i := range n {
		p := netip.PrefixFrom(netip.AddrFrom4([4]byte{198, 18, byte(i), 0}), 24)
		prefixes = append(prefixes, mic.Prefix{Addresses: p, Secret: mic.NewSecret(fmt.Appendf(nil, "secret %d", i))})
	}
	k, err := mic.NewKeyring(def, prefixes...)
	if err != nil {
		t.Fatal(err)
	}
	return k, func(a netip.Addr) *mic.Secret {
		for _, p := range prefixes {
			if p.Addresses.Contains(a) {
				return p.Secret
			}
		}
		return def
	}
}

// More secrets than a skeleton remembers, mixed in one batch, changed while kinds stay learned: each
// file is signed for the CMTS of its modem.
func TestKeyring(t *testing.T) {
	e := newEngine(t, librarySource)
	w := e.Worker()
	names := []string{"static", "time+ip", "varwidth@02:00:00:00:00:01", "isrrip8bw1.bin", "ext"}
	for _, n := range []int{0, 200, 3, 200} {
		keyring, secretOf := keyringOf(t, n)
		e.SetKeyring(keyring)
		for round := range 2 {
			for i := 0; i < 210; i += 7 {
				var batch []Request
				for j := range 7 {
					for _, name := range names {
						r := request(name)
						r.Client = netip.AddrFrom4([4]byte{198, 18, byte(i + j), 9})
						batch = append(batch, r)
					}
				}
				w.RenderBatch(now, batch)
				for _, r := range batch {
					rep, err := mic.Verify(r.Body, secretOf(r.Client))
					if err != nil || !rep.OK() || rep.CMTS.Verdict != mic.Valid {
						t.Fatalf("%d secrets, round %d, %s for %v: %+v, %v, %v", n, round, r.Name, r.Client, rep, err, r.Err)
					}
				}
			}
		}
		// What is no modem's file has no secret.
		r := []Request{request("router-a7.conf")}
		w.RenderBatch(now, r)
		if string(r[0].Body) != "hostname a7\nip address 198.18.5.9 # costs $0\n" {
			t.Errorf("%d secrets: %q", n, r[0].Body)
		}
	}
}

func TestKeyringNoAllocs(t *testing.T) {
	e := newEngine(t, librarySource)
	w := e.Worker()
	keyring, _ := keyringOf(t, 200)
	e.SetKeyring(keyring)
	var batch []Request
	for i := range 200 {
		for _, name := range []string{"static", "time+ip"} {
			r := request(name)
			r.Client = netip.AddrFrom4([4]byte{198, 18, byte(i), 9})
			batch = append(batch, r)
		}
	}
	w.RenderBatch(now, batch)
	if n := testing.AllocsPerRun(20, func() { w.RenderBatch(now, batch) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFaultEvents(t *testing.T) {
	var got []string
	suppressed := uint64(0)
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, librarySource)}, MIB: mib.Default()},
		Keyring: mic.KeyringOf(mic.NewSecret(nil)), Devices: devices,
		OnFault: func(o *device.Outcome) {
			got = append(got, fmt.Sprintf("%s %s %v %q %s", o.Name, o.Client, o.Err, o.Value, o.Reason))
			suppressed += o.Suppressed
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := e.Worker()
	w.RenderBatch(now, []Request{request("device@020000000002")})
	if len(got) != 1 || !strings.Contains(got[0], "device.dcs:1:") || !strings.Contains(got[0], "out of range, 0 to 4294967295") ||
		!strings.Contains(got[0], `"9999999999000"`) || !strings.Contains(got[0], "198.18.5.9") {
		t.Errorf("told %q", got)
	}
	for range 100 {
		w.RenderBatch(now, []Request{request("device")})
	}
	// The flood of one reason hides no other.
	w.RenderBatch(now, []Request{request("nobody")})
	if last := got[len(got)-1]; !strings.HasPrefix(last, "nobody ") || !strings.HasSuffix(last, " unknown_name") {
		t.Errorf("told last: %s", last)
	}
	w.RenderBatch(now+1e9, []Request{request("device")})
	if len(got) != MaxFaults+3 || suppressed != 100-MaxFaults {
		t.Errorf("%d faults reported, %d suppressed; want %d and %d", len(got), suppressed, MaxFaults+3, 100-MaxFaults)
	}
	if s := e.Stats(); s.Faults[skeleton.Missing] != 101 || s.Faults[skeleton.OutOfRange] != 1 {
		t.Errorf("counted %v", s.Faults)
	}
}

func TestTimestamp(t *testing.T) {
	e := newEngine(t, librarySource)
	w := e.Worker()
	for _, at := range []int64{0, now, 2085978495e9, 2085978496e9} { // the last two: around the end of RFC 868's first era, 2036-02-07 06:28:15
		r := []Request{request("time+ip")}
		w.RenderBatch(at, r)
		i := bytes.Index(r[0].Body, []byte{19, 4})
		want := uint32((uint64(at)/1e9 + 2208988800) & 0xffffffff)
		if got := binary.BigEndian.Uint32(r[0].Body[i+2:]); got != want {
			t.Errorf("at %d: %d, want %d", at, got, want)
		}
	}
}

func TestLearnedCounts(t *testing.T) {
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{writeLibrary(t, librarySource)}, MIB: mib.Default()},
		Keyring: mic.KeyringOf(mic.NewSecret(nil)), Devices: devices,
	})
	if err != nil {
		t.Fatal(err)
	}
	w := e.Worker()
	ask := func(names ...string) {
		for _, name := range names {
			w.RenderBatch(now, []Request{request(name)})
		}
	}
	ask("device", "device", "device", "nobody", "nobody")
	if s := e.Stats(); s.Hits != 2 || s.Misses != 1 || s.Unknown != 2 || s.Evicted != 0 {
		t.Errorf("hits %d, misses %d, unknown %d, evicted %d", s.Hits, s.Misses, s.Unknown, s.Evicted)
	}
	// A reload forgets names, but not what was counted.
	if err := e.Reload(false); err != nil {
		t.Fatal(err)
	}
	ask("device", "device")
	if s := e.Stats(); s.Hits != 3 || s.Misses != 2 {
		t.Errorf("after a reload: hits %d, misses %d", s.Hits, s.Misses)
	}
}

// A library is loaded again in spare time, and at first at once, as nothing can be served without it.
func TestReloadsInSpareTime(t *testing.T) {
	dir := writeLibrary(t, map[string]string{"m.dcs": `Main "m" { MaxCPE 1; UsServiceFlow { UsServiceFlowRef 1; } }`, "n.dcs": `Main "n" { MaxCPE 2; UsServiceFlow { UsServiceFlowRef 1; } }`})
	calls := 0
	e, err := NewEngine(Config{
		Library: library.Config{Dirs: []string{dir}, MIB: mib.Default()}, Keyring: mic.KeyringOf(mic.NewSecret(nil)),
		Spare: func(f func()) { calls++; f() },
	})
	if err != nil {
		t.Fatal(err)
	}
	if calls != 0 {
		t.Errorf("%d calls at the first load", calls)
	}
	e.SetReloaders(1)
	if err := e.Reload(false); err != nil {
		t.Fatal(err)
	}
	if calls != 1 {
		t.Errorf("%d calls at a reload, want 1", calls)
	}
}
