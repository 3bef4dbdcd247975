package library

import (
	"context"
	"crypto/hmac"
	"crypto/md5"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/ber/mib"
	"dcs/render/bootfile"
	"dcs/render/mic"
)

// signedFile makes a modem's file by the standard library alone, of TLVs 3 and 18.
func signedFile(cpes byte, secret string) string {
	file := []byte{3, 1, 1, 18, 1, cpes}
	cm := md5.Sum(file)
	file = append(append(file, 6, 16), cm[:]...)
	h := hmac.New(md5.New, []byte(secret))
	h.Write(slices.Concat(file[:3], file[6:24], file[3:6])) // MULPIv3.0 C.1.1.6: 3, 6, 18
	file = append(append(append(file, 7, 16), h.Sum(nil)...), 255)
	return string(append(file, 0, 0, 0)[:(len(file)+3)/4*4])
}

func TestAudit(t *testing.T) {
	bad := []byte(signedFile(9, "new"))
	bad[5] = 8
	static := tree(t, map[string]string{
		"a.bin": signedFile(1, "new"), "b.bin": signedFile(2, "old"), "c.bin": signedFile(3, "old"), "d.bin": signedFile(4, "none"),
		"e.bin": signedFile(5, "none"), "cut.bin": signedFile(6, "new")[:20], "bad.bin": string(bad), "empty": "", "text": "text",
		"fw.bin": strings.Repeat("\x7fELF", 400_000), "large": strings.Repeat("firmware", 9000),
		"big.bin": string(signedBig("old")), "bigbad.bin": string(signedBig("old")[:70_000]),
	})
	resign := tree(t, map[string]string{"r.bin": signedFile(1, "none"), "rbad.bin": string(bad), "rtext": "text"})
	lib := tree(t, map[string]string{
		"l.dcs":    `Binary "bin" from "x.octets" Binary "anew" from "y.octets" resign Binary "good" from "z.octets" Text "text" from "t.tmpl" Main "m" { NetworkAccess 1; }`,
		"x.octets": signedFile(1, "none"), "y.octets": signedFile(1, "none"), "z.octets": signedFile(1, "new"), "t.tmpl": "",
	})
	s, err := Load(Config{Dirs: []string{lib}, Static: []string{static, resign}, Resign: []string{resign}, MIB: mib.Default()}, nil)
	check(t, err)
	secrets := []*mic.Secret{mic.NewSecret([]byte("new")), mic.NewSecret([]byte("old"))}
	names := func(g Group) string {
		var out []string
		for _, a := range g.First {
			out = append(out, filepath.Base(a.Path))
		}
		return fmt.Sprint(g.N, out)
	}
	for _, parallel := range []int{1, 4} {
		a := s.Audit(t.Context(), secrets, 2, parallel)
		for fault, want := range map[bootfile.Fault]string{
			bootfile.Empty: "1 [empty]", bootfile.Cut: "2 [bigbad.bin cut.bin]", bootfile.CMMIC: "2 [bad.bin rbad.bin]", bootfile.CMTSMIC: "3 [d.bin e.bin]",
			bootfile.NoMIC: "0 []", bootfile.MTAHash: "0 []",
		} {
			// Directories are temporary, and their order is not known: what lies in them is sorted anew.
			got := a.Faulty[fault]
			slices.SortFunc(got.First, func(a, b Audited) int { return strings.Compare(filepath.Base(a.Path), filepath.Base(b.Path)) })
			if names(got) != want && fault != bootfile.CMTSMIC || got.N != int(want[0]-'0') {
				t.Errorf("%v: %s, want %s", fault, names(got), want)
			}
		}
		if a.Files != 18 || a.Refused() != 8 || a.Keyed != 5 || names(a.Under[0])[:1] != "2" || names(a.Under[1])[:1] != "3" {
			t.Errorf("%+v", a)
		}
	}
	a := s.Audit(t.Context(), secrets, 100, 2)
	at := slices.IndexFunc(a.Faulty[bootfile.CMTSMIC].First, func(f Audited) bool { return f.Item.Line != 0 })
	if at < 0 || !strings.HasSuffix(a.Faulty[bootfile.CMTSMIC].First[at].Item.File, "l.dcs") {
		t.Errorf("the Binary item: %+v", a.Faulty[bootfile.CMTSMIC])
	}
	ended, end := context.WithCancel(t.Context())
	end()
	if a := s.Audit(ended, secrets, 1, 2); a != nil {
		t.Errorf("an audit that was ended: %+v", a)
	}
	if a := s.Audit(t.Context(), nil, 1, 1); a.Faulty[bootfile.CMTSMIC].N != 0 || a.Keyed != 8 {
		t.Errorf("without a secret: %+v", a)
	}
}

// signedBig is a modem's file that is mapped.
func signedBig(secret string) []byte {
	file := []byte(strings.Repeat("\x0b\x13\x30\x11\x06\x0c\x2b\x06\x01\x02\x01\x45\x1c\x01\x02\x01\x01\x01\x02\x01\x01", 5000))
	cm := md5.Sum(file)
	file = append(append(file, 6, 16), cm[:]...)
	h := hmac.New(md5.New, []byte(secret))
	h.Write(file[len(file)-18:])
	return append(append(append(file, 7, 16), h.Sum(nil)...), 255)
}

// Ten thousand files are checked within a second.
func TestAuditTime(t *testing.T) {
	require.Long(t, "an audit of a large library")
	files := map[string]string{}
	for i := range 10_000 {
		files[fmt.Sprintf("d%d/f%d.bin", i%100, i)] = signedFile(byte(i), []string{"new", "old", "none"}[i%3])
	}
	s, err := Load(Config{Static: []string{tree(t, files)}}, nil)
	check(t, err)
	secrets := []*mic.Secret{mic.NewSecret([]byte("new")), mic.NewSecret([]byte("old"))}
	least := time.Hour
	for range 5 { // one of them meets no other load
		start := time.Now()
		a := s.Audit(t.Context(), secrets, 20, 2)
		least = min(least, time.Since(start))
		if a.Faulty[bootfile.CMTSMIC].N != 3333 || len(a.Faulty[bootfile.CMTSMIC].First) != 20 {
			t.Fatalf("%d", a.Faulty[bootfile.CMTSMIC].N)
		}
	}
	t.Logf("%v", least)
	if least > slowdown*time.Second {
		t.Errorf("it took %v", least)
	}
}

func TestHiding(t *testing.T) {
	static := tree(t, map[string]string{"res-1.bin": "x", "res-2.bin": "x", "res-own.bin": "x", "fw": "x", "a/res-3.bin": "x"})
	lib := tree(t, map[string]string{"m.dcs": "\nMain ~ \"^res-\" { NetworkAccess 1; } Main \"res-own.bin\" { NetworkAccess 1; }"})
	s, err := Load(Config{Dirs: []string{lib}, Static: []string{static}, MIB: mib.Default()}, nil)
	check(t, err)
	if n, path, at := s.Hiding(); n != 2 || path != filepath.Join(static, "res-1.bin") || at.String() != filepath.Join(lib, "m.dcs")+":2:8" {
		t.Errorf("%d, %s, %v", n, path, at)
	}
	if n, _, _ := load(t, map[string]string{"m.dcs": `Main ~ "x" { NetworkAccess 1; }`}).Hiding(); n != 0 {
		t.Errorf("%d without static files", n)
	}
}

func BenchmarkHiding(b *testing.B) {
	files := map[string]placed{}
	for i := range 100_000 {
		files[fmt.Sprintf("res-%d-gold.bin", i)] = placed{File: &File{path: "x"}}
	}
	var src strings.Builder
	for i := range 3000 {
		fmt.Fprintf(&src, "Main ~ \"^res-%d[0-9]-gold\\.bin$\" { NetworkAccess 1; }\n", 100+i)
	}
	dir := b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.dcs"), []byte(src.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default()}, nil)
	if err != nil {
		b.Fatal(err)
	}
	s.static = &staticFiles{files: files}
	for b.Loop() {
		if n, _, _ := s.Hiding(); n == 0 {
			b.Fatal("none")
		}
	}
}
