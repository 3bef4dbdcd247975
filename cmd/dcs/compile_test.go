package main

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
)

// one is the file that "Main{NetworkAccess 1;}" makes with the secret DOCSIS.
const one = "0301010610a3ab4e9009b0f65a3ff916999853a25707108ece128abaee3a1faca93737c576bb7eff"

// tree lists the files below a directory.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var files []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			files = append(files, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestCompileOutput(t *testing.T) {
	const modem = "Main { NetworkAccess 1; }"
	const mta = "Main { MtaConfigDelimiter 1; MtaConfigDelimiter 255; }"
	tests := []struct {
		name   string
		files  map[string]string
		args   []string
		status int
		stderr string   // part of it
		wrote  []string // files below "out"
	}{
		{"to a file", map[string]string{"gold.cfg": modem}, []string{"gold.cfg", "-o", "out/x"}, done, "", []string{"x"}},
		{"to a directory", map[string]string{"gold.cfg": modem}, []string{"gold.cfg", "-o", "out"}, done, "", []string{"gold.cm"}},
		{"to a new directory", map[string]string{"gold.cfg": modem}, []string{"gold.cfg", "-o", "out/new/"}, done, "", []string{"new/gold.cm"}},
		{"kinds", map[string]string{"a.cfg": modem, "b.txt": mta, "c.conf": modem, "d.dcs": modem}, []string{"a.cfg", "b.txt", "c.conf", "d.dcs", "-o", "out"}, done, "", []string{"a.cm", "b.bin", "c.cm", "d.cm"}},
		{"a directory", map[string]string{"lib/a.cfg": modem, "lib/sub/b.dcs": modem, "lib/sub/c.txt": mta, "lib/notes.md": "no source"}, []string{"lib", "-o", "out"}, done, "", []string{"a.cm", "sub/b.cm", "sub/c.bin"}},
		{"names of their own", map[string]string{"x.dcs": `Main "a.cm" { MaxCPE 1; } Main "b/c.cm" { MaxCPE 2; }`}, []string{"x.dcs", "-o", "out"}, done, "", []string{"a.cm", "b/c.cm"}},
		{"one of them", map[string]string{"x.dcs": `Main "a.cm" { MaxCPE 1; } Main "b.cm" { MaxCPE 2; }`}, []string{"x.dcs", "--name", "b.cm", "-o", "out"}, done, "", []string{"b.cm"}},
		{"slashes in front of one", map[string]string{"x.dcs": `Main "a.cm" { MaxCPE 1; }`}, []string{"x.dcs", "--name", "/a.cm", "-o", "out/"}, done, "", []string{"a.cm"}},
		{"a device behind one", map[string]string{"x.dcs": `Main "a.cm" { MaxCPE 1; }`}, []string{"x.dcs", "--name", "a.cm@0a0102030405", "-o", "out/"}, done, "", []string{"a.cm@0a0102030405"}},
		{"blocks alone", map[string]string{"lib/x.dcs": `Block b { MaxCPE 1; }`, "lib/y.dcs": "Main { include b; }"}, []string{"lib", "-o", "out"}, done, "", []string{"y.cm"}},
		{"a block beside", map[string]string{"x.dcs": `Block b { MaxCPE 1; }`, "y.dcs": "Main { include b; }"}, []string{"y.dcs", "-o", "out"}, done, "", []string{"y.cm"}},
		{"a bad one among good ones", map[string]string{"a.cfg": modem, "b.cfg": "Main { NetworkAccess 2; MaxCPE 256; }", "c.cfg": modem}, []string{"a.cfg", "b.cfg", "c.cfg", "-o", "out"}, failed, "b.cfg:1:22: ", []string{"a.cm", "c.cm"}},
		{"in a directory", map[string]string{"lib/a.cfg": modem, "lib/b.cfg": "Main { NetworkAccess 2; MaxCPE 256; }", "lib/c.cfg": modem}, []string{"lib", "-o", "out"}, failed, "b.cfg:1:32: ", []string{"a.cm", "c.cm"}},
		{"one that is not there", map[string]string{"a.cfg": modem}, []string{"none.cfg", "a.cfg", "-o", "out"}, failed, "open none.cfg: no such file", []string{"a.cm"}},
		{"two of one name", map[string]string{"a.cfg": modem, "b/a.cfg": modem}, []string{"a.cfg", "b/a.cfg", "-o", "out"}, failed, "a.cfg and b/a.cfg both make out/a.cm", []string{"a.cm"}},
		{"out of the directory", map[string]string{"a.dcs": `Main "../a.cm" { MaxCPE 1; }`}, []string{"a.dcs", "-o", "out"}, failed, "leads outside of out", nil},

		{"several without -o", map[string]string{"a.cfg": modem, "b.cfg": modem}, []string{"a.cfg", "b.cfg"}, misuse, "need a directory: -o DIR", nil},
		{"a directory without -o", map[string]string{"lib/a.cfg": modem}, []string{"lib"}, misuse, "need a directory: -o DIR", nil},
		{"--name of several", map[string]string{"a.cfg": modem, "b.cfg": modem}, []string{"a.cfg", "b.cfg", "--name", "a", "-o", "out"}, misuse, "--name is for one file", nil},
		{"several names to one file", map[string]string{"x.dcs": `Main "a.cm" { MaxCPE 1; } Main "b.cm" { MaxCPE 2; }`}, []string{"x.dcs", "-o", "out/x"}, misuse, "makes 2 files (a.cm, b.cm)", nil},
		{"a pattern", map[string]string{"x.dcs": `Main ~ "^x(.)$" { MaxCPE $1; }`}, []string{"x.dcs", "-o", "out/x"}, misuse, "use --name NAME", nil},
		{"a name of no template", map[string]string{"x.dcs": `Main ~ "^x(.)$" { MaxCPE $1; }`}, []string{"x.dcs", "--name", "y", "-o", "out/x"}, failed, "no template makes y", nil},
		{"empty", map[string]string{"x.dcs": ""}, []string{"x.dcs", "-o", "out/x"}, failed, "x.dcs:1:1: this file is empty", nil},
		{"bad address", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--ip", "1.2.3"}, misuse, "--ip 1.2.3", nil},
		{"bad address of the server", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--server", "tftp"}, misuse, "--server tftp", nil},
		{"bad MAC", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--mac", "0a"}, misuse, "--mac 0a", nil},
		{"bad time", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--time", "now"}, misuse, "--time now", nil},
		{"bad hash", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--mta-hash", "us"}, misuse, "--mta-hash us", nil},
		{"bad variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "x"}, misuse, "--set x", nil},
		{"the address as a variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "ip=1.2.3.4"}, misuse, "--set ip=1.2.3.4: $ip is not an attribute of the device; use --ip 1.2.3.4", nil},
		{"the MAC as a variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "mac=0a0102030405"}, misuse, "use --mac 0a0102030405", nil},
		{"the time as a variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "time=1"}, misuse, "use --time 1", nil},
		{"the server as a variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "x=1", "--set", "server=1.2.3.4"}, misuse, "use --server 1.2.3.4", nil},
		{"the name as a variable", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "filename=a"}, misuse, "use --name a", nil},
		{"a variable twice", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--set", "x=1", "--set", "x=2"}, misuse, `"x" is named twice`, nil},
		{"no secret", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--secret-file", "none"}, failed, "open none: no such file", nil},
		{"no MIBs", map[string]string{"x.dcs": modem}, []string{"x.dcs", "--mib-path", "none"}, failed, "none", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			lay(t, tt.files)
			if err := os.Mkdir("out", 0o700); err != nil {
				t.Fatal(err)
			}
			got := dcs("", append([]string{"compile"}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
				t.Errorf("status %d, stderr %q; want %d, %q", got.status, got.stderr, tt.status, tt.stderr)
			}
			if wrote := tree(t, "out"); !slices.Equal(wrote, tt.wrote) {
				t.Errorf("wrote %v, want %v", wrote, tt.wrote)
			}
			if got.stdout != "" {
				t.Errorf("stdout has %q", got.stdout)
			}
		})
	}
}

// Errors come in the order of the sources, whichever CPU finds them; of two sources that make the same file, the first counts.
func TestCompileOrder(t *testing.T) {
	t.Chdir(t.TempDir())
	files := map[string]string{}
	var named, bad []string
	for i := range 3*stepBatch + 7 {
		name, text := fmt.Sprintf("lib/%04d.dcs", i), fmt.Sprintf("Main { MaxCPE %d; }", i%200+1)
		switch {
		case i%5 == 3:
			text = "Main { MaxCPE 256; }"
			bad = append(bad, fmt.Sprintf("%s:1:15", name))
		case i%10 == 4:
			text = fmt.Sprintf("Main \"%04d.cm\" { MaxCPE 7; }", i-4)
			bad = append(bad, fmt.Sprintf("dcs compile: lib/%04d.dcs and %s both make out/%04d.cm", i-4, name, i-4))
		}
		files[name] = text
		named = append(named, name)
	}
	lay(t, files)
	got := dcs("", append([]string{"compile", "-o", "out/"}, named...)...)
	lines := slices.Collect(strings.Lines(got.stderr))
	if got.status != failed || len(lines) != len(bad) {
		t.Fatalf("status %d, %d errors, want %d", got.status, len(lines), len(bad))
	}
	for i, line := range lines {
		if !strings.HasPrefix(line, bad[i]) {
			t.Errorf("error %d: %q, want %q", i, line, bad[i])
		}
	}
	if wrote := tree(t, "out"); len(wrote) != len(named)-len(bad) {
		t.Errorf("%d files, want %d", len(wrote), len(named)-len(bad))
	}
	// MaxCPE is TLV 18 (MULPIv3.1 C.1.1.7).
	if b, err := os.ReadFile("out/0010.cm"); err != nil || !strings.HasPrefix(hex.EncodeToString(b), "12010b") {
		t.Errorf("%x, %v", b, err)
	}
	// A mistake in the command line ends the work: what comes after it is not done.
	lay(t, map[string]string{"lib/pattern.dcs": `Main ~ "^x(.)$" { MaxCPE $1; }`})
	got = dcs("", "compile", "-o", "new/", "lib/0000.dcs", "lib/pattern.dcs", "lib/0001.dcs")
	if wrote := tree(t, "new"); got.status != misuse || !slices.Equal(wrote, []string{"0000.cm"}) {
		t.Errorf("%+v, wrote %v", got, wrote)
	}
}

func TestCompileStdio(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "secret", "DOCSIS\n")
	for _, args := range [][]string{nil, {"-o", "-"}} {
		got := dcs("Main{NetworkAccess 1;}", append([]string{"compile", "-", "--secret-file", "secret"}, args...)...)
		if got.status != done || hex.EncodeToString([]byte(got.stdout)) != one {
			t.Errorf("%v: %+v", args, got)
		}
	}
	if got := dcs("Main{NetworkAccess 2;}", "compile", "-"); got.status != failed || got.stdout != "" || !strings.HasPrefix(got.stderr, "-:1:20: NetworkAccess") {
		t.Errorf("%+v", got)
	}
}

// The secret is read from a file alone, and never shown.
func TestSecretStaysSecret(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "secret", "hunter2\n")
	if err := os.Chmod("secret", 0o644); err != nil {
		t.Fatal(err)
	}
	write(t, "x.cfg", "Main { NetworkAccess 2; }")
	got := dcs("", "compile", "x.cfg", "--secret-file", "secret")
	if got.status != failed || strings.Contains(got.stdout+got.stderr, "hunter2") || !strings.Contains(got.stderr, "mode 0644 gives others access to a secret") {
		t.Errorf("%+v", got)
	}
}

func TestMTAHash(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "phone.cfg", "Main { MtaConfigDelimiter 1; SnmpMibObject pktcMtaDevEnabled.0 Integer 1; MtaConfigDelimiter 255; }")
	for _, tt := range []struct{ variant, oid string }{
		{"na", "2b06010401a30b0202010102" + "0700"},
		{"eu", "2b06010401ba08010102" + "0900"},
		{"ietf", "2b06010201810c0102" + "0b00"},
	} {
		got := dcs("", "compile", "phone.cfg", "--mta-hash", tt.variant)
		file := hex.EncodeToString([]byte(got.stdout))
		// The hash is an octet string of 20, right before the delimiter.
		at := len(file) - len("fe01ff") - 40 - len("0414") - len(tt.oid)
		if got.status != done || at < 0 || file[at:at+len(tt.oid)+4] != tt.oid+"0414" {
			t.Errorf("%s: %s%s", tt.variant, file, got.stderr)
		}
		if text := dcs(got.stdout, "decode", "-"); !strings.Contains(text.stdout, "/* MTA hash ("+tt.variant+"): valid */\n") {
			t.Errorf("%s: %s", tt.variant, text.stdout)
		}
	}
	if got := dcs("", "compile", "phone.cfg", "--mta-hash", "none"); got.status != done || strings.Contains(hex.EncodeToString([]byte(got.stdout)), "0414") {
		t.Errorf("none: %+v", got)
	}
}

// A thousand files, with SNMP names to look up, take less than 2 s.
func TestCompileThousand(t *testing.T) {
	require.Long(t, "1,000 files")
	t.Chdir(t.TempDir())
	files := map[string]string{}
	for i := range 1000 {
		files[fmt.Sprintf("lib/modem-%04d.cfg", i)] = fmt.Sprintf(`Main {
			NetworkAccess 1; MaxCPE %d;
			UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained %d; }
			DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained %d; }
			SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.0;
			SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo;
		}`, i%16, i*1000, i*8000)
	}
	lay(t, files)
	fastest := time.Hour
	for range 3 { // the machine may be busy with something else
		begin := time.Now()
		got := dcs("", "compile", "lib", "-o", "out")
		fastest = min(fastest, time.Since(begin))
		if n := len(tree(t, "out")); got.status != done || got.stderr != "" || n != 1000 {
			t.Fatalf("status %d, %d files, %s", got.status, n, got.stderr)
		}
		if fastest <= 2*time.Second*slowdown {
			return
		}
	}
	t.Errorf("it took at least %v", fastest)
}
