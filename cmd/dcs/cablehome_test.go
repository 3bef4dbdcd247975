package main

import (
	"encoding/hex"
	"os"
	"strings"
	"testing"
)

// A portal service's SNMP objects are TLVs 28, whose lengths have two octets; the file ends in 255 (FACTS, CableHome PS).
// sysContact.0 is 1.3.6.1.2.1.1.4.0 (SNMPv2-MIB).
const portal = "1c000f" + "300d" + "06082b06010201010400" + "040178" + "ff"

// portalHash is the SHA-1 of portal, from sha1sum.
const portalHash = "bebd0d1209ea45c02411853d6d9119cf1b4298a4"

func TestCableHome(t *testing.T) {
	for _, tt := range []struct {
		name, src string
		args      []string
		want      string // the file, in hexadecimal
		status    int
		stderr    string
	}{
		{"constant", `CableHome "ps" { PsSnmpMibObject sysContact.0 String "x"; }`, nil, portal, done, ""},
		{"with a variable", `CableHome "ps" { PsSnmpMibObject sysContact.0 String "$who"; }`, []string{"--set", "who=x"}, portal, done, ""},
		{
			"with the device", `CableHome "ps" { PsSnmpMibObject sysContact.0 String "$mac"; PsSwUpgradeFilename "f"; }`,
			[]string{"--mac", "0a0102030405"},
			"1c001f" + "301d" + "06082b06010201010400" + "0411" + hex.EncodeToString([]byte("0a:01:02:03:04:05")) + "090166" + "ff", done, "",
		},
		{
			"longer than one octet of length tells", `CableHome "ps" { PsSnmpMibObject sysContact.0 String "$who"; }`,
			[]string{"--set", "who=" + strings.Repeat("a", 300)},
			"1c013e" + "3082013a" + "06082b06010201010400" + "0482012c" + strings.Repeat("61", 300) + "ff", done, "",
		},
		{"empty", `CableHome "ps" { }`, nil, "ff", done, ""},
		{
			"a modem's setting", `CableHome "ps" { NetworkAccess 1; }`, nil, "030101ff", done,
			"-:1:18: warning: NetworkAccess (3) does not belong in the file of a CableHome portal service",
		},
		{
			"a modem's SNMP object", `CableHome "ps" { SnmpMibObject sysContact.0 String "x"; }`, nil,
			"0b0f" + portal[6:], done, "SnmpMibObject (11) does not belong in the file of a CableHome portal service; PsSnmpMibObject (ps:28) does",
		},
		{"the end by hand", `CableHome "ps" { PsEndOfData; }`, nil, "", failed, "PsEndOfData: added by the compiler; leave it out"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := dcs(tt.src, append([]string{"compile", "-"}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
				t.Errorf("status %d, %s", got.status, got.stderr)
			}
			if file := hex.EncodeToString([]byte(got.stdout)); file != tt.want {
				t.Errorf("got  %s\nwant %s", file, tt.want)
			}
			if tt.status != done || len(tt.want) < len("1c") || tt.want[:2] != "1c" {
				return
			}
			text := dcs(got.stdout, "decode", "-")
			again := dcs(text.stdout, "compile", "-")
			if text.status != done || strings.Contains(text.stdout, "differs") || again.stdout != got.stdout {
				t.Errorf("%s%s\ncompiles to %x\n%s", text.stdout, text.stderr, again.stdout, again.stderr)
			}
		})
	}
}

// The hash goes by SNMP: whoever sets it needs to be told.
func TestCableHomeHash(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "ps.dcs", `CableHome { PsSnmpMibObject sysContact.0 String "x"; }`)
	write(t, "cm.dcs", `Main { NetworkAccess 1; }`)
	if got := dcs("", "compile", "ps.dcs", "--hash"); got.status != done || got.stdout != portalHash+"\n" {
		t.Errorf("alone: %+v", got)
	}
	got := dcs("", "compile", "ps.dcs", "--hash", "-o", "ps.bin")
	file, err := os.ReadFile("ps.bin")
	if err != nil || got.status != done || got.stdout != portalHash+"  ps.bin\n" || hex.EncodeToString(file) != portal {
		t.Errorf("beside the file: %+v, %x, %v", got, file, err)
	}
	if got := dcs("", "compile", "ps.dcs", "--hash", "-o", "out/"); got.status != done || got.stdout != portalHash+"  out/ps.bin\n" {
		t.Errorf("in a directory: %+v", got)
	}
	if got := dcs("", "compile", "ps.dcs", "--hash", "-o", "-"); got.status != misuse || got.stdout != "" {
		t.Errorf("both to standard output: %+v", got)
	}
	if got := dcs("", "compile", "cm.dcs", "--hash"); got.status != failed || got.stdout != "" || !strings.Contains(got.stderr, "--hash applies only to CableHome files") {
		t.Errorf("a modem's: %+v", got)
	}
	if got := dcs("", "decode", "ps.bin"); got.status != done || !strings.Contains(got.stdout, "/* CableHome hash: absent: 0x"+portalHash) || strings.Contains(got.stdout, "MIC") {
		t.Errorf("decoded: %+v", got)
	}
}
