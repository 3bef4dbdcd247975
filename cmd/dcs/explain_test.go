package main

import (
	"strings"
	"testing"
)

// What a CMTS says is compared with the file that this modem gets.
func TestExplainSays(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{
		"secret": "s3cret\n",
		"lib/a.dcs": `Main ~ "^g(?P<n>[0-9]+)$" { NetworkAccess 0; MaxCPE $n;
  UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MinReservedRate 64000; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } }`,
		"lib/b.dcs": `Block extra {
  UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } }
Main ~ "^h(?P<n>[0-9]+)-(?P<plan>[a-z]+)$" { NetworkAccess 1; MaxCPE $n; TftpTimestamp $time;
  select $plan {
    gold { include extra;
      UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } }
    default { UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } }
  }
  DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7;
    MaxRateSustained 64000;
    MinReservedRate $n * 1000; } }
Main ~ "^i(?P<n>[0-9]+)$" { NetworkAccess 1; MaxCPE $n;
  TftpTimestamp 5; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } }`,
		"static/old.cm": "\x03\x01\x01\x06\x10................\x07\x10................\xff",
	})
	run := func(name, says string, more ...string) result {
		return dcs("", append([]string{"explain", name, "--library", "lib", "--static", "static", "--cmts-says", says}, more...)...)
	}
	secret := []string{"--secret-file", "secret"}
	for _, tt := range []struct {
		name, says string
		more       []string
		want       string
	}{
		{"g1", "reject(c)", secret, "reject(c): registration refused: what the file asks for is not granted\nfound     a reserved rate is more than admission control has left\n          lib/a.dcs:2:58: MinReservedRate (24.10)"},
		{"g1", "ONLINE (D)", secret, "forwards nothing of its CPEs\nfound     the file says NetworkAccess 0\n          lib/a.dcs:1:"},
		{"h8-gold", "reject(c)", secret, "not granted\nfound     two flows have the same reference\n          lib/b.dcs:6:23: UsServiceFlowRef (24.1) 1 is taken [sf-ref-dup]\n"},
		{"h8-silver", "18", secret, "ruled out two flows have the same reference; "},
		{"h65-silver", "200", secret, "found     a flow's rates contradict each other, or do not fit\n          lib/b.dcs:11:5: MinReservedRate (25.10) is over MaxRateSustained (25.8) [rate-min-over-max]\n"},
		{"h8-silver", "CDX 19", secret, "ruled out the time in the file is constant\n"},
		{"g1", "206", secret, "elsewhere the registration request does not fit one frame"},
		{"i8", "reject(ts)", secret, "found     the time in the file is constant\n          lib/b.dcs:13:3: TftpTimestamp (19) is constant"},
		{"g1", "reject(m)", nil, "bad MIC\nfound     files are signed with the empty secret\n          no secret is configured\n"},
		{"old.cm", "rejectBadMic(8)", secret, "bad MIC\nfound     the CMTS MIC is wrong\n"},
		{"old.cm", "68000800", secret, "event D08.0 (68000800): the file is complete, and its CM MIC is wrong\nfound     the modem's own check of the file fails: CM MIC\n"},
		{"none", "init(o)", secret, "found     the modem is given no file\n          none: no template and no static file has this name\n"},
	} {
		got := run(tt.name, tt.says, tt.more...)
		if status := map[bool]int{true: failed, false: done}[tt.name == "none"]; got.status != status || !strings.Contains(got.stdout, tt.want) {
			t.Errorf("%s, %s: status %d, %s\n%s", tt.name, tt.says, got.status, got.stderr, got.stdout)
		}
	}
	if got := run("g1", "rejct(c)"); got.status != misuse || !strings.Contains(got.stderr, "--cmts-says: \"rejct(c)\": unknown word; similar ones are reject(c)") {
		t.Errorf("a misspelt word: %+v", got)
	}
}

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
		"4 octets: TftpModemAddress $ip", "MaxCPE 8;", `SwUpgradeFilename "fw-gold";`, "TftpModemAddress 198.18.0.9;", "/* CM MIC: valid", "/* CMTS MIC: valid: under the empty secret, as none is configured */\n",
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
