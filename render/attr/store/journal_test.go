package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/device"
)

func testRecords() []record {
	ip := netip.MustParseAddr
	return []record{
		{seq: 1, flags: recordMAC, source: "a", attrs: []string{"x", "y"}, mac: mac(1), names: []string{"x"}, values: []string{"1"}},
		{seq: 2, flags: recordMAC | recordIP | recordGone, source: "b", attrs: []string{"z"}, mac: mac(2), ip: ip("10.0.0.1")},
		{seq: 3, flags: recordIP, source: "a", attrs: []string{"x", "y"}, ip: ip("fd00::1"), names: []string{"y", "x"}, values: []string{"2", "3"}},
		{seq: 4, flags: recordMAC | recordTouch, mac: mac(3)},
		{seq: 1 << 40, flags: recordMark},
	}
}

// journalOf encodes records, each in a frame of its own, and returns where the frames end.
func journalOf(records []record) (data []byte, ends []int) {
	data = []byte(journalMagic)
	for i := range records {
		var f frames
		f.add(&records[i])
		data = append(data, f.end()...)
		ends = append(ends, len(data))
	}
	return data, ends
}

func TestJournalRoundTrip(t *testing.T) {
	want := testRecords()
	var f frames
	for i := range want {
		f.add(&want[i])
	}
	c := readJournal(append([]byte(journalMagic), f.end()...))
	if c.err != nil || !c.whole || !reflect.DeepEqual(c.records, want) {
		t.Errorf("%+v", c)
	}
	data, _ := journalOf(want)
	if c := readJournal(data); c.err != nil || !c.whole || !reflect.DeepEqual(c.records, want) {
		t.Errorf("in frames of their own: %+v", c)
	}
}

// A journal of an earlier version may have records with a MAC address of zeros, which is none.
func TestJournalZeroMAC(t *testing.T) {
	zero := testRecords()[:2] // the second has an IP address
	zero[0].mac, zero[1].mac = device.MAC{}, device.MAC{}
	data, _ := journalOf(append(zero, testRecords()[2]))
	want := []record{zero[1], testRecords()[2]}
	want[0].flags = recordIP | recordGone
	if c := readJournal(data); c.err != nil || !c.whole || !reflect.DeepEqual(c.records, want) {
		t.Errorf("%+v", c)
	}
}

// A journal cut at any offset has the records before it, and is not damaged: its writer has crashed.
func TestJournalCut(t *testing.T) {
	want := testRecords()
	data, ends := journalOf(want)
	for n := range data {
		for _, fill := range []int{0, 100} { // a file system may leave zeros where octets never came
			if fill > 0 && n < len(journalMagic) {
				continue // it gets its name when its beginning is on disk
			}
			whole := 0
			for whole < len(ends) && (ends[whole] <= n || fill > 0 && len(bytes.Trim(data[n:ends[whole]], "\x00")) == 0) {
				whole++
			}
			c := readJournal(append(slices.Clone(data[:n]), make([]byte, fill)...))
			if c.err != nil || len(c.records) != whole || whole > 0 && !reflect.DeepEqual(c.records, want[:whole]) {
				t.Fatalf("cut to %d and %d zeros: %d of %d records, %v", n, fill, len(c.records), whole, c.err)
			}
			if at := slices.Index(ends, n); c.whole != (fill == 0 && (at >= 0 || n == len(journalMagic))) {
				t.Fatalf("cut to %d and %d zeros: whole is %v", n, fill, c.whole)
			}
		}
	}
}

// A flipped bit is detected at any offset; the records of other frames are read.
func TestJournalAltered(t *testing.T) {
	want := testRecords()
	data, ends := journalOf(want)
	for at := range data {
		for bit := range 8 {
			bad := slices.Clone(data)
			bad[at] ^= 1 << bit
			c := readJournal(bad)
			hit, _ := slices.BinarySearch(ends, at+1)
			rest := slices.Delete(slices.Clone(want), hit, hit+1)
			if at < len(journalMagic) {
				rest = nil
			}
			// In the last frame, a larger length looks like a crash of the writer.
			torn := hit == len(ends)-1 && len(c.records) == len(rest)
			if c.whole || !errors.Is(c.err, ErrJournal) && !torn || !reflect.DeepEqual(c.records, rest) && len(c.records)+len(rest) > 0 {
				t.Fatalf("octet %d, bit %d: %d records, %v", at, bit, len(c.records), c.err)
			}
		}
	}
}

func FuzzJournal(f *testing.F) {
	data, ends := journalOf(testRecords())
	f.Add(data, 3)
	f.Add(data[:ends[2]-3], 40)
	f.Add([]byte(journalMagic+frameMagic), 0)
	f.Fuzz(func(t *testing.T, data []byte, at int) {
		c := readJournal(data)
		if c.whole && c.err != nil {
			t.Fatal(c.err)
		}
		var g frames
		for i := range c.records {
			g.add(&c.records[i])
		}
		again := readJournal(append([]byte(journalMagic), g.end()...))
		if again.err != nil || len(again.records) != len(c.records) {
			t.Fatalf("%d records of %d, %v", len(again.records), len(c.records), again.err)
		}
		// The payload of a frame whose sum is right may hold anything.
		if len(data) > 0 {
			if _, err := appendRecords(nil, data[max(0, at%len(data)):]); err != nil && !errors.Is(err, errRecord) {
				t.Fatal(err)
			}
		}
	})
}

// known returns all that a Store serves, by MAC and by IP address.
func known(s *Store) string {
	var b bytes.Buffer
	v := s.View()
	for n := range 40 {
		r, ok := v.Lookup(mac(n), nil)
		fmt.Fprintf(&b, "%d %s\n", n, show(v, r, ok))
		ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(n)})
		r, m, ok := v.LookupIP(ip, nil)
		fmt.Fprintf(&b, "%v %s %v\n", ip, show(v, r, ok), m)
		x, ok := s.Explain(mac(n), netip.Addr{})
		if ok {
			fmt.Fprintln(&b, x.IP, x.Known)
		}
	}
	return b.String()
}

// differ returns the lines of got that differ from those of want.
func differ(got, want string) string {
	var b strings.Builder
	was := strings.Split(want, "\n")
	for i, line := range strings.Split(got, "\n") {
		if line != was[i] {
			fmt.Fprintf(&b, "\n%s; it was: %s", line, was[i])
		}
	}
	return b.String()
}

// copyDir copies a Store's directory as a crash would leave it.
func copyDir(t *testing.T, from string) string {
	t.Helper()
	to := t.TempDir()
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(filepath.Join(from, f.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return to
}

// down is a source that cannot be reached.
func down(name string) *fake {
	f := newFake(name, nil)
	f.openErr = errors.New("down")
	return f
}

// randomChange returns a change of one of few devices with few addresses, so that addresses often move.
func randomChange(r *rand.Rand, n int) attr.Change {
	c := attr.Change{Device: attr.Device{Values: []string{fmt.Sprint("v", n), ""}}}
	if r.IntN(3) == 0 {
		c.Values[1] = fmt.Sprint("w", n)
	}
	if r.IntN(5) > 0 {
		c.MAC = mac(r.IntN(30))
	}
	if c.MAC.IsZero() || r.IntN(2) > 0 {
		c.IP = netip.AddrFrom4([4]byte{10, 0, 0, byte(r.IntN(30))})
	}
	c.Gone = r.IntN(4) == 0
	return c
}

// What was served is served after a crash at any step of writing files: changes, deletions and moved addresses, of one source and of
// several.
func TestJournalReplay(t *testing.T) {
	require.Long(t, "a long journal")
	for _, sources := range []int{1, 3} {
		t.Run(fmt.Sprint(sources), bubble(func(t *testing.T) {
			r := rand.New(rand.NewPCG(7, uint64(sources)))
			var fakes []*fake
			var up, gone []attr.Source
			for i := range sources {
				f := newFake(fmt.Sprint("s", i), []string{fmt.Sprint("p", i), "q"})
				for n := range 20 {
					d := dev(n+5*i, fmt.Sprintf("10.0.0.%d", (n*7+i)%30), fmt.Sprint("b", n))
					f.devices = append(f.devices, d)
				}
				fakes = append(fakes, f)
				up = append(up, following{plain{f}, f})
				gone = append(gone, plain{down(f.name)})
			}
			dir := t.TempDir()
			cfg, _ := testConfig(dir, up...)
			s := openStore(t, cfg)
			eventually(t, "loaded", func() bool {
				s.mu.Lock()
				defer s.mu.Unlock()
				return s.allLoaded.Load() && !s.remerge
			})
			steps := 0
			crash := func(what string) {
				t.Helper()
				steps++
				s.flush()
				want := known(s)
				for range 2 { // what the first start has written is read by the second
					cfg, ev := testConfig(copyDir(t, dir), gone...)
					cfg.OpenWait = time.Nanosecond
					c := openStore(t, cfg)
					if got := known(c); got != want {
						t.Fatalf("step %d, after %s: %s", steps, what, differ(got, want))
					}
					if ev.count(Damaged, "") > 0 {
						t.Fatalf("step %d, after %s: %v", steps, what, ev.list)
					}
					c.Close()
					dir := cfg.Dir
					cfg, _ = testConfig(dir, gone...)
					cfg.OpenWait = time.Nanosecond
					c = openStore(t, cfg)
					if got := known(c); got != want {
						t.Fatalf("step %d, after %s and another start: %s", steps, what, differ(got, want))
					}
					c.Close()
				}
			}
			for n := range 24 {
				for i, f := range fakes {
					var list []attr.Change
					for range r.IntN(6) {
						list = append(list, randomChange(r, 10*n+i))
					}
					if err := s.apply(s.srcs[f.index(s)], list); err != nil {
						t.Fatal(err)
					}
				}
				switch n % 6 {
				case 1:
					crash("changes")
				case 2: // the files of the sources are made, the merged one is not
					s.build.Lock()
					for _, src := range s.srcs {
						compactSource(t, s, src)
					}
					s.build.Unlock()
					crash("files of sources")
				case 3:
					s.journal.rewrite(0)
					s.flush()
					crash("the journal was written anew")
				case 4:
					s.build.Lock()
					err := s.compact()
					s.build.Unlock()
					if err != nil {
						t.Fatal(err)
					}
					crash("all files")
				}
			}
		}))
	}
}

// compactSource does what compact does for one source.
func compactSource(t *testing.T, s *Store, src *source) {
	t.Helper()
	s.mu.Lock()
	r, meta, upTo := s.fleet[src.i].clone(), src.meta, s.seq
	names := slices.Clone(s.names)
	if len(s.srcs) > 1 {
		names = r.names(src.names)
	}
	meta.Source, meta.Stamp, meta.Seq = src.Name(), s.nextStamp(), upTo
	s.mu.Unlock()
	if err := s.rewrite(src, r, names, meta, upTo); err != nil {
		t.Fatal(err)
	}
}

// A source without a list has no file, but the devices found are served after a crash, without the source.
func TestJournalAsked(t *testing.T) { runBubble(t, testJournalAsked) }

func testJournalAsked(t *testing.T) {
	f := newFake("p", []string{"profile", "down"})
	f.loadErr = errors.ErrUnsupported
	f.ask = map[question]attr.Device{{mac: mac(1)}: dev(1, "", "gold")}
	dir := t.TempDir()
	cfg, _ := testConfig(dir, asking{plain{f}, f})
	s := openStore(t, cfg)
	eventually(t, "found", func() bool {
		s.Miss(time.Now().UnixNano(), mac(1), netip.Addr{})
		return get(s, 1) == "profile=gold"
	})
	for _, end := range []string{"kill", "close"} {
		crashed := copyDir(t, dir)
		if end == "close" {
			s.Close()
			crashed = dir
		}
		cfg, _ = testConfig(crashed, plain{down("p")})
		cfg.OpenWait = time.Nanosecond
		c := openStore(t, cfg)
		if got := get(c, 1); got != "profile=gold" || c.Schema().Partial() {
			t.Errorf("%s: %s, partial %v", end, got, c.Schema().Partial())
		}
		if _, ok := c.Schema().Index("down"); !ok {
			t.Errorf("%s: an attribute that no device has is not known any more", end)
		}
		saved, err := OpenSaved(crashed, []attr.Source{plain{down("p")}})
		if err != nil || len(saved.Missing()) > 0 {
			t.Fatal(err, saved)
		}
		if x, ok := saved.Explain(attr.Query{MAC: mac(1)}); !ok || x.Values[0] != "gold" || x.From[0] != "p" {
			t.Errorf("%s: saved %+v", end, x)
		}
		c.Close()
	}
}

// A source that is temporarily not configured keeps its changes.
func TestJournalKeepsSourcesThatAreAway(t *testing.T) {
	runBubble(t, testJournalKeepsSourcesThatAreAway)
}

func testJournalKeepsSourcesThatAreAway(t *testing.T) {
	a, b := newFake("a", []string{"n"}, dev(1, "", "1")), newFake("b", []string{"m"}, dev(1, "", "1"))
	dir := t.TempDir()
	cfg, _ := testConfig(dir, following{plain{a}, a}, following{plain{b}, b})
	s := openStore(t, cfg)
	is(t, s, 1, "m=1 n=1")
	b.apply <- []attr.Change{{Device: dev(1, "", "2")}}
	is(t, s, 1, "m=2 n=1")
	crashed := copyDir(t, dir)
	for _, sources := range [][]attr.Source{{plain{down("a")}}, {plain{down("a")}, plain{down("b")}}} {
		cfg, _ = testConfig(crashed, sources...)
		cfg.OpenWait = time.Nanosecond
		c := openStore(t, cfg)
		c.journal.rewrite(0)
		want := "m=2 n=1"
		if len(sources) == 1 {
			want = "n=1"
		}
		is(t, c, 1, want)
		c.Close()
	}
}

// The journal stays small, however many changes go through it.
func TestJournalBounded(t *testing.T) { runBubble(t, testJournalBounded) }

func testJournalBounded(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	dir := t.TempDir()
	cfg, ev := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	big := string(bytes.Repeat([]byte("x"), 10_000))
	most := int64(0)
	for i := range 600 { // 6 MB
		f.apply <- []attr.Change{{Device: dev(i%3, "", fmt.Sprint(i, big))}}
		s.flush()
		if st, err := os.Stat(filepath.Join(dir, journalName)); err == nil {
			most = max(most, st.Size())
		}
	}
	if most < journalSmall/2 || most > journalSmall+frameFull {
		t.Errorf("the journal has grown to %d octets", most)
	}
	if ev.count(NotDurable, "") > 0 {
		t.Errorf("changes were not durable: %v", ev.list)
	}
	is(t, s, 2, "n=599"+big)
}

// Damage of the journal is reported, and its intact frames are applied.
func TestJournalDamaged(t *testing.T) { runBubble(t, testJournalDamaged) }

func testJournalDamaged(t *testing.T) {
	f := newFake("db", []string{"n"}, dev(1, "", "1"))
	dir := t.TempDir()
	cfg, _ := testConfig(dir, following{plain{f}, f})
	s := openStore(t, cfg)
	is(t, s, 1, "n=1")
	for n := 1; n <= 3; n++ {
		f.apply <- []attr.Change{{Device: dev(n, "", fmt.Sprint("c", n))}}
		is(t, s, n, fmt.Sprint("n=c", n))
	}
	crashed := copyDir(t, dir)
	path := filepath.Join(crashed, journalName)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	data[bytes.Index(data, []byte("c2"))] ^= 1
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, ev := testConfig(crashed, plain{down("db")})
	c := openStore(t, cfg)
	if !ev.has(Damaged, "", ErrJournal) {
		t.Error("nobody was told")
	}
	if get(c, 1) != "n=c1" || get(c, 2) != "none" || get(c, 3) != "n=c3" {
		t.Errorf("%s, %s, %s", get(c, 1), get(c, 2), get(c, 3))
	}
	c.Close()
	if c, err := openJournal(crashed); err != nil || !c.whole {
		t.Errorf("it was not mended: %+v, %v", c, err)
	}
}
