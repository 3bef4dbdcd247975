package ldapdir_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/servers"
	"dcs/render/device"
)

// patience is the deadline of what usually takes less than a second.
const patience = 20 * time.Second

var (
	ctx   = context.Background()
	names = []string{"down", "firmware", "max_cpe", "profile", "up"}
)

// config returns the configuration in the comment of the sample.
func config(t *testing.T, s *servers.Server) ldapdir.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte(servers.Password+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return ldapdir.Config{
		URL: s.DSN, BindDN: servers.AdminDN, PasswordFile: file, Base: "ou=devices," + servers.Suffix, Filter: "(objectClass=dcsDevice)",
		Attributes: map[string]string{"dcsProfile": "profile", "dcsDown": "down", "dcsUp": "up", "dcsMaxCPE": "max_cpe", "dcsFirmware": "firmware"},
		AskFilter:  "(&(objectClass=dcsDevice)(macAddress={mac}))", AskIPFilter: "(&(objectClass=dcsDevice)(ipHostNumber={ip}))",
	}
}

func open(t *testing.T, cfg ldapdir.Config) attr.Source {
	t.Helper()
	src, err := ldapdir.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	if _, err := src.Open(ctx); err != nil {
		t.Fatal(err)
	}
	return src
}

func text(d *attr.Device) string {
	s := ""
	if !d.MAC.IsZero() {
		s = fmt.Sprintf("%x", d.MAC[:])
	}
	if d.IP.IsValid() {
		s += " " + d.IP.String()
	}
	for i, v := range d.Values {
		if v != "" {
			s += " " + names[i] + "=" + v
		}
	}
	return s
}

func load(t *testing.T, src attr.Source) []string {
	t.Helper()
	var all []string
	if err := src.Load(ctx, func(d *attr.Device) error { all = append(all, text(d)); return nil }); err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	return all
}

func mac(last byte) device.MAC { return device.MAC{0, 0, 0x5e, 0, 0x53, last} }

func TestSlapd(t *testing.T) {
	s := servers.Slapd(t)
	for _, file := range []string{"dcs.ldif", "sample.ldif"} {
		b, err := os.ReadFile(filepath.Join("schema", file))
		if err != nil {
			t.Fatal(err)
		}
		s.Run(t, string(b))
	}
	s.Run(t, "dn: olcDatabase={1}mdb,cn=config\nchangetype: modify\nadd: olcDbIndex\nolcDbIndex: macAddress,ipHostNumber,modifyTimestamp eq\n")
	want := []string{
		"00005e005301 192.0.2.1 down=1000000 max_cpe=16 profile=gold up=50000",
		"00005e005302 192.0.2.2 down=250000 firmware=modem-2.1.bin max_cpe=4 profile=silver up=25000",
		"00005e005303 down=50000 max_cpe=1 profile=bronze up=10000",
	}
	dn := func(last byte) string {
		return fmt.Sprintf("dn: macAddress=00:00:5e:00:53:%02x,ou=devices,%s\n", last, servers.Suffix)
	}

	t.Run("ways to connect", func(t *testing.T) {
		plain := config(t, s)
		start, over, anonymous := plain, plain, plain
		start.StartTLS, start.CAFile = true, s.CAFile
		over.URL, over.CAFile = s.TLSURL, s.CAFile
		anonymous.BindDN, anonymous.PasswordFile = "", ""
		for name, cfg := range map[string]ldapdir.Config{"plain": plain, "StartTLS": start, "ldaps": over, "anonymous": anonymous} {
			src := open(t, cfg)
			if got := load(t, src); !slices.Equal(got, want) {
				t.Errorf("%s: got %q, want %q", name, got, want)
			}
		}
		start.CAFile, over.CAFile = "", ""
		wrong := plain
		wrong.PasswordFile = filepath.Join(t.TempDir(), "wrong")
		empty := plain
		empty.PasswordFile = filepath.Join(t.TempDir(), "empty")
		missing := plain
		missing.PasswordFile = filepath.Join(t.TempDir(), "missing")
		other := over
		other.CAFile = wrong.PasswordFile
		down := plain
		down.URL = "ldap://127.0.0.1:1"
		if err := errors.Join(os.WriteFile(wrong.PasswordFile, []byte("w/rong#secret"), 0o600), os.WriteFile(empty.PasswordFile, []byte("\n"), 0o600)); err != nil {
			t.Fatal(err)
		}
		for _, tc := range []struct {
			cfg  ldapdir.Config
			want string
		}{
			{start, "certificate"},
			{over, "certificate"},
			{wrong, "Invalid Credentials"},
			{empty, "is empty"},
			{missing, "no such file"},
			{other, "no certificate in PEM"},
			{down, "refused"},
		} {
			src, err := ldapdir.New(tc.cfg)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := src.Open(ctx); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "rong#") {
				t.Errorf("%v, want %q", err, tc.want)
			}
			src.Close()
		}
	})

	t.Run("ask", func(t *testing.T) {
		src := open(t, config(t, s)).(attr.Asker)
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				if d, found, err := src.Ask(ctx, mac(2), netip.Addr{}); err != nil || !found || text(&d) != want[1] {
					t.Errorf("by MAC: %v, %v, %q", err, found, text(&d))
				}
				if d, found, err := src.Ask(ctx, device.MAC{}, netip.MustParseAddr("192.0.2.1")); err != nil || !found || text(&d) != want[0] {
					t.Errorf("by IP: %v, %v, %q", err, found, text(&d))
				}
				if _, found, err := src.Ask(ctx, mac(9), netip.Addr{}); err != nil || found {
					t.Errorf("an unknown one: %v, %v", err, found)
				}
				if _, found, err := src.Ask(ctx, device.MAC{}, netip.MustParseAddr("fe80::1%)(objectClass=*)")); err != nil || found {
					t.Errorf("a hostile zone: %v, %v", err, found)
				}
			})
		}
		wg.Wait()
		s.Stop(t)
		if _, _, err := src.Ask(ctx, mac(2), netip.Addr{}); err == nil {
			t.Error("asked without a server")
		}
		s.Start(t)
		if d, found, err := src.Ask(ctx, mac(2), netip.Addr{}); err != nil || !found {
			t.Errorf("after the server came back: %v, %v, %q", err, found, text(&d))
		}
	})

	t.Run("changes", func(t *testing.T) {
		cfg := config(t, s)
		cfg.Poll, cfg.Reload = 50*time.Millisecond, 4*time.Second
		src := open(t, cfg)
		if err := src.(attr.Follower).Follow(ctx, nil); err == nil {
			t.Error("followed before a load")
		}
		load(t, src)
		var mu sync.Mutex
		var got []string
		whole := make(chan struct{}, 1)
		ctx, cancel := context.WithCancel(ctx)
		done := make(chan error)
		go func() {
			done <- src.(attr.Follower).Follow(ctx, func(cs []attr.Change) error {
				mu.Lock()
				defer mu.Unlock()
				if cs == nil {
					select {
					case whole <- struct{}{}:
					default:
					}
				}
				for _, c := range cs {
					got = append(got, text(&c.Device))
				}
				return nil
			})
		}()
		expect := func(what, want string) {
			t.Helper()
			for limit := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
				mu.Lock()
				now := slices.Clone(got)
				mu.Unlock()
				if slices.Contains(now, want) {
					return
				}
				if time.Now().After(limit) {
					t.Fatalf("%s: after %v %q, want %q", what, patience, now, want)
				}
			}
		}
		s.Run(t, dn(1)+"changetype: modify\nreplace: dcsProfile\ndcsProfile: platinum\n")
		expect("modified", "00005e005301 192.0.2.1 down=1000000 max_cpe=16 profile=platinum up=50000")
		s.Run(t, dn(4)+"objectClass: dcsDevice\nmacAddress: 00:00:5e:00:53:04\ndcsProfile: new\n")
		expect("added", "00005e005304 profile=new")
		s.Run(t, dn(4)+"changetype: delete\n")
		s.Run(t, dn(1)+"changetype: modify\nreplace: dcsProfile\ndcsProfile: gold\n")
		expect("modified again", want[0])
		for i := range 3 { // polls that would repeat what is above
			profile := fmt.Sprint("last", i)
			s.Run(t, dn(3)+"changetype: modify\nreplace: dcsProfile\ndcsProfile: "+profile+"\n")
			expect("nothing twice", strings.Replace(want[2], "bronze", profile, 1))
		}
		s.Run(t, dn(3)+"changetype: modify\nreplace: dcsProfile\ndcsProfile: bronze\n")
		mu.Lock()
		for _, w := range got {
			if n := len(got) - len(slices.DeleteFunc(slices.Clone(got), func(x string) bool { return x == w })); n != 1 && w != want[0] && w != want[2] {
				t.Errorf("%q was told %d times", w, n)
			}
		}
		mu.Unlock()
		select {
		case <-whole:
		case <-time.After(patience):
			t.Error("not loaded anew")
		}
		s.Stop(t)
		select {
		case err := <-done:
			if err == nil {
				t.Error("Follow ended without an error")
			}
		case <-time.After(patience):
			t.Error("Follow did not notice that the server has gone")
			cancel()
			t.Log(<-done)
		}
		s.Start(t)
		cancel()
		if got := load(t, src); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})

	t.Run("odd entries", func(t *testing.T) {
		s.Run(t, "dn: ou=odd,"+servers.Suffix+"\nobjectClass: organizationalUnit\nou: odd\n"+`
dn: cn=two,ou=odd,`+servers.Suffix+`
objectClass: dcsDevice
cn: two
macAddress: 0000.5e00.5310
macAddress: 00:00:5e:00:53:11
description: first
description: second

dn: cn=bad,ou=odd,`+servers.Suffix+`
objectClass: dcsDevice
cn: bad
macAddress: )(objectClass=*)

dn: cn=octets,ou=odd,`+servers.Suffix+`
objectClass: dcsDevice
objectClass: simpleSecurityObject
cn: octets
macAddress: 00:00:5e:00:53:12
userPassword:: /wA=
`)
		cfg := config(t, s)
		var told []string
		cfg.Warn = func(err error) { told = append(told, err.Error()) }
		cfg.Base, cfg.Scope = "ou=odd,"+servers.Suffix, "one"
		cfg.Attributes = map[string]string{"description": "down", "userPassword": "firmware"}
		src := open(t, cfg)
		want := []string{"00005e005310 down=first", "00005e005312 firmware=0xff00"}
		if got := load(t, src); !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
		if r := src.(attr.Rejecter).Rejected(); r.Rows != 1 || !strings.Contains(r.First[0], `cn=bad`) {
			t.Errorf("rejected %+v", r)
		}
		if len(told) != 2 {
			t.Errorf("told %q", told)
		}
		cfg.MaxRejected = -1
		if err := open(t, cfg).Load(ctx, func(*attr.Device) error { return nil }); !errors.Is(err, attr.ErrRejected) {
			t.Errorf("one bad entry is too much: %v", err)
		}
		cfg.Base = "ou=nowhere," + servers.Suffix
		if err := open(t, cfg).Load(ctx, func(*attr.Device) error { return nil }); err == nil || !strings.Contains(err.Error(), "No Such Object") {
			t.Errorf("no base: %v", err)
		}
	})

	const many = 3000
	t.Run("memory", func(t *testing.T) {
		var b strings.Builder
		fmt.Fprintf(&b, "dn: ou=many,%s\nobjectClass: organizationalUnit\nou: many\n", servers.Suffix)
		for i := range many {
			fmt.Fprintf(&b, "\ndn: cn=%d,ou=many,%s\nobjectClass: dcsDevice\ncn: %d\nmacAddress: 0a000000%04x\ndescription: %s\n", i, servers.Suffix, i, i, strings.Repeat("x", 8000))
		}
		s.Run(t, b.String())
		cfg := config(t, s)
		cfg.Base, cfg.PageSize = "ou=many,"+servers.Suffix, 50
		cfg.Attributes = map[string]string{"description": "down"}
		src := open(t, cfg)
		heap := func() uint64 {
			runtime.GC()
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			return m.HeapAlloc
		}
		before, most, n := heap(), uint64(0), 0
		if err := src.Load(ctx, func(*attr.Device) error {
			if n++; n%300 == 0 {
				most = max(most, heap())
			}
			return nil
		}); err != nil || n != many {
			t.Errorf("%d entries, %v", n, err)
		}
		t.Logf("%d entries of 8 kB, heap before %d KiB, at most %d KiB", n, before>>10, most>>10)
		if most > before+4<<20 {
			t.Errorf("the heap grew from %d to %d octets", before, most)
		}
		cfg.BindDN, cfg.PasswordFile = "", "" // slapd gives others than the administrator 500 entries
		n = 0
		if err := open(t, cfg).Load(ctx, func(*attr.Device) error { n++; return nil }); err == nil || !strings.Contains(err.Error(), "Size Limit") {
			t.Errorf("%d entries and %v", n, err)
		}
	})

	t.Run("stopped by yield", func(t *testing.T) {
		cfg := config(t, s)
		cfg.Base = servers.Suffix
		src := open(t, cfg)
		stop := errors.New("stop")
		if err := src.Load(ctx, func(*attr.Device) error { return stop }); err != stop {
			t.Errorf("%v", err)
		}
	})

	// The timeout limits silence: a page may take longer, here because yield is slow.
	t.Run("slow page", func(t *testing.T) {
		cfg := config(t, s)
		cfg.Base, cfg.PageSize, cfg.Timeout = servers.Suffix, 500, 2*time.Second
		src := open(t, cfg)
		n := 0
		if err := src.Load(ctx, func(*attr.Device) error {
			if n++; n < 500 {
				time.Sleep(6 * time.Millisecond)
			}
			return nil
		}); err != nil || n < many {
			t.Errorf("%d entries, %v", n, err)
		}
	})

	t.Run("killed in a load", func(t *testing.T) {
		cfg := config(t, s)
		cfg.Base, cfg.PageSize = servers.Suffix, 100
		src := open(t, cfg)
		n := 0
		err := src.Load(ctx, func(*attr.Device) error {
			if n++; n == 50 {
				s.Kill(t)
			}
			return nil
		})
		if err == nil || n > many/2 {
			t.Errorf("%v after %d entries", err, n)
		}
		s.Start(t)
		n = 0
		if err := src.Load(ctx, func(*attr.Device) error { n++; return nil }); err != nil || n < many {
			t.Errorf("afterwards: %v, %d", err, n)
		}
	})

	t.Run("silent server", func(t *testing.T) {
		cfg := config(t, s)
		cfg.Timeout = 300 * time.Millisecond
		src := open(t, cfg)
		s.Pause(t)
		defer s.Resume(t)
		begin := time.Now()
		if err := src.Load(ctx, func(*attr.Device) error { return nil }); err == nil {
			t.Error("loaded from a server that does not answer")
		}
		if _, _, err := src.(attr.Asker).Ask(ctx, mac(1), netip.Addr{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("ask: %v", err)
		}
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if err := src.Load(short, func(*attr.Device) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
		if d := time.Since(begin); d > patience {
			t.Errorf("took %v", d)
		}
	})
	t.Run("guarded", func(t *testing.T) { guarded(t, s) })
}

func TestNew(t *testing.T) {
	good := ldapdir.Config{URL: "ldap://localhost", Filter: "(objectClass=*)", AskFilter: "(macAddress={mac12})"}
	if _, err := ldapdir.New(good); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		change func(*ldapdir.Config)
		want   string
	}{
		{func(c *ldapdir.Config) { c.URL = "http://x" }, "url"},
		{func(c *ldapdir.Config) { c.URL = "ldap://u:secret@x" }, "url"},
		{func(c *ldapdir.Config) { c.Filter = "" }, "filter"},
		{func(c *ldapdir.Config) { c.Filter = "(a=b" }, "filter"},
		{func(c *ldapdir.Config) { c.AskFilter = "macAddress={mac}" }, "ask_filter"},
		{func(c *ldapdir.Config) { c.Scope = "tree" }, "scope"},
		{func(c *ldapdir.Config) { c.URL, c.StartTLS = "ldaps://x", true }, "starttls"},
		{func(c *ldapdir.Config) { c.BindDN = "cn=x" }, "password_file"},
		{func(c *ldapdir.Config) { c.Attributes = map[string]string{"a": "x", "b": "x"} }, "taken"},
	} {
		cfg := good
		tc.change(&cfg)
		if _, err := ldapdir.New(cfg); err == nil || !strings.Contains(err.Error(), tc.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v, want %q", err, tc.want)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	good.URL, good.Timeout = "ldaps://"+l.Addr().String(), 200*time.Millisecond
	src, err := ldapdir.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := src.Open(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a server that takes connections and says nothing: %v", err)
	}
}
