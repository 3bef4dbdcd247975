package main

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
)

// mayImport says of packages, and of what lies below them, which of our packages they
// may import. The longest match counts; a package that nothing here matches fails.
var mayImport = map[string][]string{
	"bpf": {},

	"fastpath":          {"fastpath/...", leaf}, // the wall's one exception: a leaf of plain values
	"fastpath/guard":    {"fastpath/packet", "fastpath/source", "fastpath/tftp"},
	"fastpath/packet":   {},
	"fastpath/source":   {},
	"fastpath/tftp":     {},
	"fastpath/transfer": {"fastpath/packet", "fastpath/tftp", leaf},
	"fastpath/frame":    {"fastpath/packet"},
	"fastpath/tid":      {},
	"fastpath/udp":      {"fastpath/frame", "fastpath/packet", "fastpath/tftp", "fastpath/tid"},
	"fastpath/xsk":      {"fastpath/frame", "fastpath/packet", "fastpath/tid", "fastpath/xsk/..."},

	"render":                     {"render/..."},
	"render/attr":                {"render/device"},
	"render/attr/store":          {"render/attr", "render/attr/localdb", "render/device", "render/mapped", "render/tempfile"}, // its snapshots are such files
	"render/attr/localdb":        {"render/attr", "render/device", "render/mapped", "render/tempfile"},
	"render/attr/csvfile":        {"render/attr", "render/device"}, // drivers import what they implement, not one another
	"render/attr/ldapdir":        {"render/attr", "render/device", "render/secret"},
	"render/attr/plugin":         {"render/attr", "render/device", "render/secret"},
	"render/attr/servers":        {"bench/require"}, // only tests import it
	"render/attr/sqldb":          {"render/attr", "render/attr/sqldb", "render/device", "render/secret"},
	"render/beneath":             {},
	"render/ber":                 {},
	"render/ber/mib":             {"render/ber", "render/spelling"},
	"render/ber/mib/gen":         {"render/ber/..."},
	"render/bootfile":            {"render/ber", "render/mic", "render/plaintext", "render/tlv"},
	"render/cvc":                 {"render/plaintext"},
	"render/device":              {},
	"render/groups":              {},
	"render/internal/rendertest": {"bench/require"},
	"render/library":             {"render/..."},
	"render/lint":                {"render/cvc", "render/mic", "render/syntax", "render/tlv", "render/ber/..."},
	"render/lint/document":       {"render/lint"},
	"render/lint/reason":         {"render/spelling", "render/tlv"},
	"render/lint/report":         {"render/lint", "render/syntax"},
	"render/mapped":              {},
	"render/match":               {},
	"render/md5x":                {},
	"render/mic":                 {"render/md5x", "render/secret"},
	"render/naming":              {"render/device"},
	"render/plaintext":           {},
	"render/secret":              {},
	"render/skeleton":            {"render/attr", "render/device", "render/groups", "render/md5x", "render/mic", "render/syntax", "render/tlv", "render/ber/..."},
	"render/spelling":            {},
	"render/syntax":              {},
	"render/tempfile":            {},
	"render/tlv":                 {"render/ber/...", "render/cvc", "render/plaintext", "render/spelling"},
	"render/tlv/gen":             {"render/tlv"},

	"bench":          {"bench/...", "fastpath/...", "render/...", "bpf/..."},
	"bench/afpacket": {},
	"bench/cmts":     {"render/mic"},
	"bench/require":  {},
	"bench/netlab":   {"bench/afpacket", "bench/require"},

	"cmd":                         {"cmd/internal/..."},
	"cmd/internal":                {"cmd/internal/...", "render/attr/...", "render/device", "render/naming", "render/secret", "render/spelling"},
	"cmd/internal/assemble":       {"cmd/internal/...", "fastpath/...", "render/..."}, // it knows what each part may take of memory
	"cmd/internal/check":          {"bpf", "cmd/internal/...", "fastpath/udp", "render/..."},
	"cmd/internal/cmts":           {"cmd/internal/strictyaml", "render/secret"},
	"cmd/internal/describe":       {"render", "render/ber/mib", "render/cvc", "render/library", "render/lint/...", "render/mic", "render/skeleton", "render/tlv"},
	"cmd/internal/httpboot":       {"cmd/internal/...", "fastpath/source", "render/mapped", "render/secret"},
	"cmd/internal/config":         {"cmd/internal/...", "render/attr/...", "render/device", "render/lint", "render/naming", "render/secret", "render/spelling"}, // lint: the ids of rules
	"cmd/internal/ingress":        {"bpf", "cmd/internal/config", "cmd/internal/listen", "cmd/internal/ports", "cmd/internal/privilege", "fastpath/..."},
	"cmd/internal/judge":          {"render/bootfile", "render/library", "render/lint", "render/syntax", "render/tlv"},
	"cmd/internal/keyring":        {"cmd/internal/...", "render/secret", "render/tempfile"},
	"cmd/internal/secretjob":      {"cmd/internal/...", "render/bootfile", "render/library", "render/mic", "render/secret"},
	"cmd/internal/server":         {"bpf", "cmd/internal/...", "fastpath/...", "render/..."},
	"cmd/internal/server/capture": {"bpf", "cmd/internal/...", "fastpath/xsk", "render/device"},
	"cmd/internal/spare":          {},
	"cmd/internal/version":        {},
	"cmd/dcs":                     {"bench/storm", "bpf", "cmd/internal/...", "fastpath/...", "render/..."},

	// The manual is pages of the admin site.
	"cmd/dcs/doc":                {"cmd/dcs/doc"},
	"cmd/internal/admin/console": {"cmd/internal/admin", "cmd/internal/metrics", "cmd/dcs/doc", "render/device", "render/lint/reason", "render/lint/report"},
}

// leaf holds plain values that pass between fastpath and render.
const leaf = "render/device"

// drivers are modules that talk to databases, directories and other machines: only
// what cmd links may hold them.
var drivers = []string{
	"database/sql", "modernc.org/", "github.com/jackc/", "github.com/go-sql-driver/", "github.com/go-ldap/",
	"github.com/gosnmp/", "golang.org/x/crypto/ssh",
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImports(t *testing.T) {
	for _, p := range listPackages(t, "dcs/...") {
		name := strings.TrimPrefix(p.ImportPath, "dcs/")
		rule, found := longest(name)
		if !found {
			t.Errorf("%s has no rule: say in mayImport what it may import", name)
			continue
		}
		for _, imported := range p.Imports {
			if ours, ok := strings.CutPrefix(imported, "dcs/"); ok && !allowed(rule, ours) {
				t.Errorf("%s imports %s", name, ours)
			}
		}
		// Tests may use what they like of ours, but for the walls that divide the program.
		for _, imported := range slices.Concat(p.TestImports, p.XTestImports) {
			if ours, ok := strings.CutPrefix(imported, "dcs/"); ok && walled(name, ours) {
				t.Errorf("a test of %s imports %s", name, ours)
			}
		}
	}
}

// What the server's own packages link, all the way down, holds no driver.
func TestDriversAreLeaves(t *testing.T) {
	require.Long(t, "lists of packages")
	for _, pattern := range []string{"dcs/fastpath/...", "dcs/render", "dcs/render/library", "dcs/render/skeleton"} {
		for _, p := range listPackages(t, "-deps", pattern) {
			for _, d := range drivers {
				if strings.HasPrefix(p.ImportPath, d) {
					t.Errorf("%s links %s", pattern, p.ImportPath)
				}
			}
		}
	}
}

// longest returns the rule of name, or of the nearest package above it.
func longest(name string) ([]string, bool) {
	for at := name; ; {
		if rule, ok := mayImport[at]; ok {
			return rule, true
		}
		slash := strings.LastIndexByte(at, '/')
		if slash < 0 {
			return nil, false
		}
		at = at[:slash]
	}
}

func allowed(rule []string, name string) bool {
	for _, r := range rule {
		if below, ok := strings.CutSuffix(r, "/..."); ok && (name == below || strings.HasPrefix(name, below+"/")) || r == name {
			return true
		}
	}
	return false
}

// walled tells whether not even a test may import to from from.
func walled(from, to string) bool {
	part := func(name string) string { p, _, _ := strings.Cut(name, "/"); return p }
	a, b := part(from), part(to)
	switch a {
	case "fastpath", "render", "bpf":
		return b == "cmd" || a != b && to != leaf && (b == "fastpath" || b == "render" || b == "bpf")
	case "bench":
		return b == "cmd"
	}
	return false
}

func listPackages(t *testing.T, args ...string) []goPackage {
	t.Helper()
	cmd := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,TestImports,XTestImports"}, args...)...)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	var all []goPackage
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		switch err := dec.Decode(&p); {
		case errors.Is(err, io.EOF):
			if len(all) == 0 {
				t.Fatal("go list found nothing")
			}
			return all
		case err != nil:
			t.Fatal(err)
		}
		all = append(all, p)
	}
}
