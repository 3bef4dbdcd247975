package main

import (
	"strings"
	"testing"
)

func TestExplain(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{
		"lib/tiers.dcs": `Main ~ "^res(?P<cpe>[0-9]+)\.bin$" priority 2 { default name "none"; MaxCPE $cpe; SwUpgradeFilename "fw-$name"; TftpModemAddress $ip; }
Main ~ "^res.*" { NetworkAccess 1; }
Text "r.conf" from "r.tmpl";
Text "s.conf" from "s.tmpl";`,
		"lib/s.tmpl": "from $server\n",
		"lib/r.tmpl": "hostname $name\n",
	})
	run := func(args ...string) result {
		return dcs("", append([]string{"explain", "--library", "lib", "--set", "name=gold"}, args...)...)
	}

	got := run("res8.bin", "--ip", "198.18.0.9", "--mac", "0a0102030405")
	if got.status != done || got.stderr != "" {
		t.Fatalf("status %d, %s", got.status, got.stderr)
	}
	for _, want := range []string{
		"name      res8.bin\n", "MAC       0a:01:02:03:04:05\n",
		"template  lib/tiers.dcs:1:1: Main ~ \"^res(?P<cpe>[0-9]+)\\\\.bin$\" (its pattern matches, priority 2)\n",
		"also fits lib/tiers.dcs:2:1: Main", `capture   $1 $cpe = "8"`, `variable  $cpe = "8", from the name asked for`,
		`variable  $name = "gold", from the device`, `variable  $ip = "198.18.0.9"`, `varying width: SwUpgradeFilename "fw-${name}"`,
		"4 octets: TftpModemAddress $ip", "MaxCPE 8;", `SwUpgradeFilename "fw-gold";`, "TftpModemAddress 198.18.0.9;", "# CM MIC: valid", "# CMTS MIC: valid: under the empty secret, as none is configured\n",
	} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("no %q in\n%s", want, got.stdout)
		}
	}
	// Values that nobody has given are not said to be a modem's.
	if got := run("res8.bin", "--mac", "0a0102030405"); got.status != done || !strings.Contains(got.stdout, `variable  $ip = "0.0.0.0", from the default, as no --ip is given`) {
		t.Errorf("without --ip: %+v", got)
	}
	if got := run("s.conf", "--ip", "198.18.0.9"); !strings.Contains(got.stdout, `variable  $server = "0.0.0.0", from the default, as no --server is given`) {
		t.Errorf("without --server: %+v", got)
	}
	for _, tt := range []struct{ ip, server, want string }{{"198.18.0.9", "", "0.0.0.0"}, {"fd00::9", "", "::"}, {"fd00::9", "fd00::1", "fd00::1"}} {
		if got := run("s.conf", "--ip", tt.ip, "--server="+tt.server); got.status != done || !strings.HasSuffix(got.stdout, "\n\nfrom "+tt.want+"\n") {
			t.Errorf("s.conf for %s: %+v", tt.ip, got)
		}
	}
	if got := run("r.conf"); got.status != done || !strings.HasSuffix(got.stdout, "\n\nhostname gold\n") {
		t.Errorf("r.conf: %+v", got)
	}
	if got := run("none"); got.status != failed || got.stderr != "none: no template and no static file has this name\n" {
		t.Errorf("none: %+v", got)
	}
	if got := run("no\x1b[2Jne"); got.status != failed || got.stderr != "no?[2Jne: no template and no static file has this name\n" || !strings.Contains(got.stdout, "name      no?[2Jne\n") {
		t.Errorf("a name that would write to the terminal: %+v", got)
	}
	if got := run("res\x1b[2J"); got.status != done || strings.Contains(got.stdout, "\x1b") {
		t.Errorf("such a name with a file: %q", got.stdout)
	}
	if got := run("res300.bin", "--ip", "198.18.0.9"); got.status != failed || !strings.Contains(got.stderr, "tiers.dcs:1:") {
		t.Errorf("res300.bin: %+v", got)
	}
	for set, want := range map[string]string{"ip=1.2.3.4": "use --ip 1.2.3.4", "time=1": "it follows from the request", "filename=a": "it follows from the request"} {
		if got := run("r.conf", "--set", set); got.status != misuse || !strings.Contains(got.stderr, want) {
			t.Errorf("--set %s: %+v", set, got)
		}
	}
	if got := run("x", "--ip", "x"); got.status != misuse {
		t.Errorf("a bad address: %+v", got)
	}
}
