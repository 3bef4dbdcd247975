package library

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

// garden is a library that is edited at random.
type garden struct {
	*rand.Rand
	dir string
}

func (g *garden) pick(of ...string) string { return of[g.IntN(len(of))] }

// path returns one of few paths, so that edits meet.
func (g *garden) path() string {
	return g.pick("a", "b", "sub/a", "sub/c", "other/d") + g.pick(".dcs", ".dcs", ".dcs", ".cfg")
}

// block returns the name of a Block, one of few.
func (g *garden) block() string { return g.pick("gold", "tier-1", "tier-2", "Gold", "snmp") }

func (g *garden) statement() string {
	switch g.IntN(14) {
	case 0, 1, 2:
		return "include " + g.block() + ";"
	case 3:
		return `include "tier-$t";`
	case 4:
		return fmt.Sprintf(`include "%s";`, g.path())
	case 5:
		return `include "$t.dcs";`
	case 6:
		return `ManufacturerCVC "cert.der";`
	case 7:
		return "MaxCPE 300;" // an error
	case 8:
		return "default t 1;"
	case 9:
		return "default cpe 2; MaxCPE $cpe;"
	case 10:
		return "select $t { 1 { include " + g.block() + "; } default { NetworkAccess 0; } }"
	case 11:
		return "MaxCPE $nothing;"
	}
	return fmt.Sprintf("NetworkAccess %d; SnmpMibObject .1.3.6.1.%d Integer 1;", g.IntN(2), g.IntN(3))
}

// source returns the text of a source: now and then it has errors.
func (g *garden) source(path string) string {
	var b strings.Builder
	if strings.HasSuffix(path, ".cfg") {
		fmt.Fprintf(&b, "Main { NetworkAccess %d; MaxCPE %d; }\n", g.IntN(2), g.IntN(300))
		return b.String()
	}
	for range g.IntN(4) {
		head := g.pick("Main", fmt.Sprintf(`Main "n%d"`, g.IntN(5)), fmt.Sprintf(`Main ~ "^p%d-(?P<t>[0-9])$" priority %d`, g.IntN(3), g.IntN(2)),
			`Main ~ "(?P<t>x"`, `Mta "m"`, `Text "t" from "text.txt"`, "Block "+g.block(), "Block "+g.block())
		b.WriteString(head + " {")
		if !strings.HasPrefix(head, "Text") {
			for range g.IntN(4) {
				b.WriteString(" " + g.statement())
			}
		}
		b.WriteString(g.pick(" }\n", " }\n", " }\n", " }\n", " }\n", " }\n", " }\n", " }\n", " \n"))
	}
	return b.String()
}

// edit changes something.
func (g *garden) edit(t *testing.T) string {
	path := g.path()
	at := filepath.Join(g.dir, path)
	must := func(err error) {
		if err != nil && !os.IsNotExist(err) && !os.IsExist(err) {
			t.Fatal(err)
		}
	}
	must(os.MkdirAll(filepath.Dir(at), 0o755))
	switch g.IntN(9) {
	case 0:
		must(os.RemoveAll(at))
		return "remove " + path
	case 1:
		to := g.path()
		must(os.MkdirAll(filepath.Dir(filepath.Join(g.dir, to)), 0o755))
		must(os.Rename(at, filepath.Join(g.dir, to)))
		return "rename " + path + " " + to
	case 2:
		must(os.RemoveAll(at))
		must(os.Symlink(filepath.Join(g.dir, g.path()), at))
		return "link " + path
	case 3:
		name := g.pick("cert.der", "text.txt", "sub/text.txt")
		if g.IntN(3) == 0 {
			must(os.RemoveAll(filepath.Join(g.dir, name)))
			return "remove " + name
		}
		must(os.MkdirAll(filepath.Join(g.dir, "sub"), 0o755))
		must(os.WriteFile(filepath.Join(g.dir, name), []byte(g.pick("\x30\x03abc", "\x30\x03abd", "text $t", "text $$ 2")), 0o644))
		return "write " + name
	case 4:
		must(os.Rename(filepath.Join(g.dir, "sub"), filepath.Join(g.dir, "moved")))
		must(os.Rename(filepath.Join(g.dir, "moved"), filepath.Join(g.dir, g.pick("sub", "sub", "more"))))
		return "move sub"
	case 5:
		must(os.RemoveAll(filepath.Join(g.dir, "linked")))
		must(os.Symlink(g.pick("sub", "other", "gone"), filepath.Join(g.dir, "linked")))
		return "link a directory"
	}
	if st, err := os.Lstat(at); err == nil && !st.Mode().IsRegular() {
		must(os.RemoveAll(at))
	}
	must(os.WriteFile(at, []byte(g.source(path)), 0o644)) // often within one tick of the clock, and of one length
	return "write " + path
}

// picture is all that a library shows: its errors, warnings, and what each name leads to.
func picture(s *Snapshot, err error, rng *rand.Rand) string {
	var b strings.Builder
	if s == nil {
		return fmt.Sprintln(err)
	}
	fmt.Fprintln(&b, err)
	fmt.Fprintln(&b, s.Warnings.Error())
	fmt.Fprintln(&b, s.Broken(), s.Waiting(), s.Empty(), s.dirs)
	for _, t := range s.Templates() {
		fmt.Fprintln(&b, t.Pos(), t.Names, t.Pattern, t.Priority, t.Kind, t.Structural(), t.Attributes(), t.Families(), t.Waiting())
	}
	names := s.Names()
	slices.Sort(names.names)
	fmt.Fprintln(&b, names.names, len(names.patterns))
	var sc skeleton.Scratch
	asked := append([]string{"a", "sub/c.bin", "n0", "n1", "n2", "n3", "n4", "m", "t", "p0-1", "p1-2", "p2-3", "x", "linked/c"}, names.names...)
	rng.Shuffle(len(asked), func(i, k int) { asked[i], asked[k] = asked[k], asked[i] })
	slices.Sort(asked) // each once, in any order of learning
	for _, name := range slices.Compact(asked) {
		l := find(s, name)
		if l == nil {
			fmt.Fprintln(&b, name, "unknown")
			continue
		}
		for _, rec := range []attr.Record{nil, {"1", "7"}, {"2", ""}} {
			sk, fault := s.Skeleton(l, rec, false)
			if fault != nil || sk == nil {
				fmt.Fprintln(&b, name, fault)
				continue
			}
			v := skeleton.Values{Now: 1e18, Attrs: rec}
			file, fault := sk.Build(nil, &v, &sc)
			if fault == nil && !sk.Static() {
				file, fault = sk.Sign(file, mic.NewSecret(nil), &sc)
			}
			fmt.Fprintf(&b, "%s %x %v\n", name, file, fault)
		}
	}
	return b.String()
}

// TestReload edits libraries at random, and compares each that is loaded after another with one that is loaded afresh.
func TestReload(t *testing.T) {
	libraries, edits := 12, 25
	if require.AllTime() {
		libraries = 200
	}
	schema, err := attr.NewSchema("cpe", "u")
	if err != nil {
		t.Fatal(err)
	}
	for seed := range libraries {
		g := &garden{rand.New(rand.NewPCG(uint64(seed), 17)), t.TempDir()}
		cfg := Config{Dirs: []string{g.dir}, MIB: mib.Default(), Timestamp: seed%2 == 0, Parallel: 1 + seed%3}
		if seed%3 == 0 {
			cfg.Schema = schema
		}
		var s *Snapshot
		var history []string
		for range edits {
			for range 1 + g.IntN(2) {
				history = append(history, g.edit(t))
			}
			next, err := Load(cfg, s)
			alone := cfg
			alone.Parallel = 1
			fresh, freshErr := Load(alone, nil)
			got, want := picture(next, err, g.Rand), picture(fresh, freshErr, g.Rand)
			if got != want {
				t.Fatalf("seed %d, after %q:\n%s\nloaded afresh:\n%s", seed, history, got, want)
			}
			if next != nil {
				s = next
			}
		}
	}
}
