package naming

import (
	"path"
	"strings"
	"testing"

	"dcs/render/device"
)

var mac = device.MAC{0x0a, 1, 2, 3, 4, 5}

func rules(t testing.TB, cfg Config) *Rules {
	t.Helper()
	r, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestSplitDevice(t *testing.T) {
	for _, tt := range []struct {
		name, file string
		ok         bool
	}{
		{"a.bin", "a.bin", false},
		{"a.bin@0a0102030405", "a.bin", true},
		{"/a.bin@0A:01:02:03:04:05", "/a.bin", true},
		{"a@b@0a-01-02-03-04-05", "a@b", true},
		{"a.bin@0a01.0203.0405", "a.bin", true},
		{"a.bin@a:1:2:3:4:5", "a.bin", true},
		{"a.bin@a-1-2-3-4-05", "a.bin", true},
		{"a.bin@10.1.2.3.4.5", "a.bin@10.1.2.3.4.5", false},
		{"a.bin@0a01020304", "a.bin@0a01020304", false},
		{"a.bin@000000000000", "a.bin@000000000000", false},
		{"@0a0102030405", "@0a0102030405", false},
		{"a@0a0102030405.bin", "a@0a0102030405.bin", false},
		{"", "", false},
	} {
		want := device.MAC{}
		if tt.ok {
			want = mac
		}
		if file, got := SplitDevice([]byte(tt.name)); string(file) != tt.file || got != want {
			t.Errorf("%s: %s, %v", tt.name, file, got)
		}
	}
}

// One file has many names, and no name leads out.
func TestRead(t *testing.T) {
	lenient := Config{Backslash: true}
	roots := Config{Backslash: true, Roots: []string{"/srv/tftp", "/srv//tftp/fw/", "\\tftpboot", "/"}}
	fold := Config{Backslash: true, IgnoreCase: true, Roots: []string{"/TftpBoot"}}
	for _, tt := range []struct {
		cfg         Config
		asked, file string
		refusal     Refusal
	}{
		{Config{}, "x", "x", Allowed},
		{Config{}, "/x", "x", Allowed},
		{Config{}, "///x", "x", Allowed},
		{Config{}, "./x", "x", Allowed},
		{Config{}, "././/x", "x", Allowed},
		{Config{}, "a//b", "a/b", Allowed},
		{Config{}, "a/./b", "a/b", Allowed},
		{Config{}, "a/.b", "a/.b", Allowed},
		{Config{}, "a/...b", "a/...b", Allowed},
		{Config{}, "a/.../b", "a/.../b", Allowed},
		{Config{}, ".a", ".a", Allowed},
		{Config{}, "a./b", "a./b", Allowed},
		{Config{}, "a/", "a/", Allowed},
		{Config{}, "a//", "a/", Allowed},
		{Config{}, "a/.", "a/", Allowed},
		{Config{}, "", "", Allowed},
		{Config{}, "/", "", Allowed},
		{Config{}, ".", "", Allowed},
		{Config{}, "a b ", "a b ", Allowed},
		{Config{}, "..", "", Outside},
		{Config{}, "a/../b", "", Outside},
		{Config{}, "a/..", "", Outside},
		{Config{}, "/../a", "", Outside},
		{Config{}, "..a/b..", "..a/b..", Allowed},
		{Config{}, `\x`, `\x`, Allowed},
		{Config{}, `a\b`, `a\b`, Allowed},
		{Config{}, `a\..\b`, `a\..\b`, Allowed}, // one component
		{lenient, `\x`, "x", Allowed},
		{lenient, `\\x`, "x", Allowed},
		{lenient, `a\b/c`, "a/b/c", Allowed},
		{lenient, `.\a\.\b`, "a/b", Allowed},
		{lenient, `a\..\b`, "", Outside},
		{lenient, `a\..`, "", Outside},
		{lenient, "X", "X", Allowed},
		{roots, "/srv/tftp/x", "x", Allowed},
		{roots, "//srv/./tftp//x", "x", Allowed},
		{roots, `\srv\tftp\a\x`, "a/x", Allowed},
		{roots, "/srv/tftp/fw/x", "x", Allowed},
		{roots, "/tftpboot/x", "x", Allowed},
		{roots, "/tftpboot/tftpboot/x", "tftpboot/x", Allowed},
		{roots, "srv/tftp/x", "srv/tftp/x", Allowed}, // not absolute
		{roots, "/srv/tftpx", "srv/tftpx", Allowed},
		{roots, "/srv/tftp", "srv/tftp", Allowed},
		{roots, "/srv/tftp/", "srv/tftp/", Allowed},
		{roots, "/srv/tftp/../x", "", Outside},
		{fold, "X.Bin", "x.bin", Allowed},
		{fold, "/TFTPBOOT/A/X.BIN", "a/x.bin", Allowed},
		{fold, "\xc3\x84", "\xc3\x84", Allowed}, // letters beyond A to Z have no case
		{fold, "already/low", "already/low", Allowed},
		{lenient, strings.Repeat("/a", 256), strings.TrimPrefix(strings.Repeat("/a", 256), "/"), Allowed},
		{lenient, strings.Repeat(`\a`, 256), strings.TrimPrefix(strings.Repeat("/a", 256), "/"), Allowed},
	} {
		var sc Scratch
		n := rules(t, tt.cfg).Read([]byte(tt.asked), true, &sc)
		if string(n.File) != tt.file || n.Refusal != tt.refusal || !n.MAC.IsZero() {
			t.Errorf("%+v %q: %q %q, want %q %q", tt.cfg, tt.asked, n.File, n.Refusal, tt.file, tt.refusal)
		}
		n = rules(t, tt.cfg).Read([]byte(tt.asked+"@0a:01:02:03:04:05"), true, &sc)
		if want := tt.asked != ""; string(n.File) != tt.file && want || n.MAC.IsZero() == want || want && n.MAC != mac {
			t.Errorf("%q with a device: %+v", tt.asked, n)
		}
	}
	var sc Scratch
	if n := rules(t, lenient).Read([]byte("./x@0a0102030405"), false, &sc); string(n.File) != "x@0a0102030405" || !n.MAC.IsZero() {
		t.Errorf("devices off: %+v", n)
	}
}

// FuzzRead checks that names come out as path.Clean has them, that reading what was read changes nothing, and that none leads out.
func FuzzRead(f *testing.F) {
	for _, s := range []string{"a//b", "./a", "/a/../b", `a\b`, "A/./", "a/..", "....//", "/srv/tftp/x"} {
		f.Add(s, true, true)
		f.Add(s, false, false)
	}
	f.Fuzz(func(t *testing.T, asked string, backslash, fold bool) {
		if len(asked) > MaxName {
			return
		}
		r := rules(t, Config{Backslash: backslash, IgnoreCase: fold})
		var sc Scratch
		n := r.Read([]byte(asked), false, &sc)
		plain := asked
		if backslash {
			plain = strings.ReplaceAll(plain, `\`, "/")
		}
		if fold {
			plain = r.Fold(plain)
		}
		out := false
		for part := range strings.SplitSeq(plain, "/") {
			out = out || part == ".."
		}
		if (n.Refusal == Outside) != out {
			t.Fatalf("%q: %v", asked, n.Refusal)
		}
		if out {
			return
		}
		if got, want := strings.TrimSuffix(string(n.File), "/"), path.Clean("/" + plain)[1:]; got != want {
			t.Fatalf("%q: %q, path.Clean says %q", asked, got, want)
		}
		var again Scratch
		if got := r.Read(n.File, false, &again); string(got.File) != string(n.File) || r.Key(string(n.File)) != string(n.File) {
			t.Fatalf("%q: %q, then %q", asked, n.File, got.File)
		}
	})
}

func TestNoAllocs(t *testing.T) {
	plain := rules(t, Config{Backslash: true, IgnoreCase: true, Roots: []string{"/srv/tftp"}})
	rewriting := rules(t, Config{Backslash: true, Rewrite: []Rule{{Match: "^/tftpboot/(.*)$", To: "$1", Rewrite: true}, {Unless: "bin$", Refuse: true}}})
	var sc, other Scratch
	for _, tt := range []struct {
		name  string
		asked string
		rules *Rules
		sc    *Scratch
	}{
		{"nothing to clean", "gold.bin@0a0102030405", plain, &sc},
		{"slashes", "/a//./B.bin", plain, &sc},
		{"backslashes", `\srv\tftp\a\b.bin`, plain, &sc},
		{"leads out", "a/../b", plain, &sc},
		{"no rule", "gold.bin", rewriting, &other},
		{"rewritten", "/tftpboot/gold.bin@0a0102030405", rewriting, &other},
		{"refused", "gold.cfg", rewriting, &other},
	} {
		asked := []byte(tt.asked)
		if n := testing.AllocsPerRun(1000, func() { tt.rules.Read(asked, true, tt.sc) }); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
	// What needs no cleaning is not copied.
	asked := []byte("/gold.bin@0a0102030405")
	if n := plain.Read(asked, true, &sc); &n.File[0] != &asked[1] {
		t.Error("a clean name was copied")
	}
}

func BenchmarkRead(b *testing.B) {
	for name, asked := range map[string]string{"clean": "isrrip8bw3.bin@0a0102030405", "dirty": `\boot\.\isrrip8bw3.bin`} {
		b.Run(name, func(b *testing.B) {
			r := rules(b, Config{Backslash: true})
			var sc Scratch
			in := []byte(asked)
			b.ReportAllocs()
			for b.Loop() {
				r.Read(in, true, &sc)
			}
		})
	}
}
