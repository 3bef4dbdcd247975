package skeleton

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
)

// odd are texts that are valid for some settings, or almost.
var odd = []string{
	"", "0", "-0", "-5", "5", "007", "16", "300", "70000", "4294967296", "99999999999999999999", "0x", "0x10", "0xzz", "0x123", "0X00ff", "-0x1",
	"198.18.0.1", "198.018.0.1", "fd00::1", "::ffff:198.18.0.1", "fe80::1%eth0", "001122334455", "0x001122334455", "00:11:22:33:44:55", "0:11:22:33:44:5",
	"00:00:00:0:0:0", "0011.2233.4455", "00-11-22-33-44-55", "createAndGo", "abc", "a,b", "1/2", "1,2", ".1.3.6.1", "sysContact.0", "\x00", "é", strings.Repeat("x", 300),
}

// settings take a value in place of each %s.
var settings = []string{
	"MaxCPE %s;", "NetworkAccess %s;", "UpstreamChannelId %s;", "DownstreamFrequency %s;", "TftpTimestamp %s;", "SwUpgradeFilename %s;", "SwUpgradeServer %s;",
	"SwUpgradeServer6 %s;", "TftpModemAddress6 %s;", "CpeMacAddress %s;", "UsServiceFlow { UsServiceFlowRef 1; ServiceClassName %s; }", "UsServiceFlow { UsServiceFlowRef %s; MaxRateSustained %s; }",
	"SnmpMibObject docsDevNmAccessStatus.1 Integer %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 String %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 HexString %s;",
	"SnmpMibObject .1.3.6.1.2.1.1.6.0 Counter64 %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 Gauge32 %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 IPAddress %s;",
	"SnmpMibObject .1.3.6.1.2.1.1.6.0 ObjectID %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 DecimalString %s;", "SnmpMibObject %s String %s;", "SnmpMibObject .1.3.6.1.2.1.1.6.0 BITS %s;",
	"VendorSpecific { VendorIdentifier %s; GenericTLV TlvCode 9 TlvValue %s; }", "GenericTLV TlvCode %s TlvString %s;", "select %s { 5 { MaxCPE 3; } abc, 16 { MaxCPE %s; } default { NetworkAccess 1; } }",
	"select 5 { %s { MaxCPE 3; } default { NetworkAccess 0; } }", "include %s;", "reject %s;", "UpstreamDropClassifierGroupID %s;", "MtaConfigDelimiter %s;",
	"VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ExtendedCMTSMICHMACDigestType %s; ExtendedCMTSMICHMACBitmap %s; } }",
	"VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 5 { GenericTLV TlvCode 1 TlvString %s; } GenericTLV TlvCode 6 TlvString %s; }",
}

// TestNamed gives templates what fits and what does not, from the name, from the device and from defaults: a kind of name has
// the file, or the fault, that the name alone has. made compares them.
func TestNamed(t *testing.T) {
	seed, rounds := uint64(17), 2000
	if require.AllTime() {
		seed, rounds = uint64(time.Now().UnixNano()), 20_000
		t.Logf("seed %d", seed)
	}
	kinds := 0
	for i := range rounds {
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		b := bench{values: modem4, blocks: "Block abc { MaxCPE 2; }"}
		any := func() string { return odd[r.IntN(len(odd))] }
		var defaults, body strings.Builder
		variable := func() string {
			n := fmt.Sprintf("v%d", len(b.schema)+len(b.pattern)+strings.Count(defaults.String(), ";"))
			switch r.IntN(6) {
			case 0:
				b.schema, b.record = append(b.schema, n), append(b.record, any())
			case 1:
				b.schema, b.record = append(b.schema, n), append(b.record, "")
				b.pattern, b.captures = append(b.pattern, "c"+n), append(b.captures, any())
				fmt.Fprintf(&defaults, []string{"default %s $c%s; ", "default %s \"a$c%s\"; ", "default %s $c%s + 1; "}[r.IntN(3)], n, n)
			default:
				b.pattern, b.captures = append(b.pattern, n), append(b.captures, any())
			}
			return n
		}
		value := func() string {
			v := variable()
			switch r.IntN(8) {
			case 0:
				return `"$` + v + `"`
			case 1:
				return `"0x${` + v + `}"`
			case 2:
				return `"${` + v + `}-${` + variable() + `}"`
			case 3:
				return "$" + v + []string{"+", "-", "*", "/"}[r.IntN(4)] + "5"
			case 4:
				return []string{"-$" + v, "$" + v + ",3", "$" + v + "/7", "$filename", `"$filename"`, `"${filename}x$` + v + `"`, "$" + v + "+$" + variable()}[r.IntN(7)]
			}
			return "$" + v
		}
		for range 1 + r.IntN(3) {
			s := settings[r.IntN(len(settings))]
			for strings.Contains(s, "%s") {
				s = strings.Replace(s, "%s", value(), 1)
			}
			body.WriteString(s + "\n")
		}
		b.record = append(attr.Record(nil), b.record...)
		b.src = []string{"Main", "Main", "Main", "Mta"}[r.IntN(4)] + " { " + defaults.String() + body.String() + "}"
		tm, err := b.template(t)
		if err != nil {
			continue // a part of it is wrong whatever the name is
		}
		kinds++
		if _, _ = b.made(t, tm); t.Failed() {
			t.Fatalf("round %d: %q, %q", i, b.captures, b.record)
		}
	}
	if kinds < rounds/10 {
		t.Errorf("only %d of %d templates could be loaded", kinds, rounds)
	}
}

// TestFixed says which groups a template needs, and whether the others fill slots.
func TestFixed(t *testing.T) {
	for _, tt := range []struct {
		src, captured string
		fixed         Fixed
		unfit         bool
	}{
		{"NetworkAccess 1;", "7", 0, false},
		{"MaxCPE $1;", "7", 0, false},
		{"MaxCPE $1;", "300", 0, true},
		{"MaxCPE 2 * ($1 + 1);", "7", 0, false},
		{"MaxCPE $1;", "seven", 0, true},
		{`SwUpgradeFilename "fw-$1.bin";`, "7", 0, false},
		{`SwUpgradeFilename "$filename";`, "7", 0, false},
		{"SwUpgradeFilename $filename;", "7", Exact, false},
		{`SwUpgradeFilename "fw-${1}-$mac.bin";`, "7", 0, false},
		{"default x $1; SwUpgradeFilename $x;", "7", 0, false},
		{"CpeMacAddress $1;", "00:11:22:33:44:55", 0, false},
		{"CpeMacAddress $1;", "0:11:22:33:44:55", 0, true},
		{"SnmpMibObject sysLocation.0 String $1;", "7", 0, false},
		{"SnmpMibObject docsDevNmAccessStatus.1 Integer $1;", "createAndGo", 0, true},
		{"UpstreamDropClassifierGroupID $1,2;", "7", 2, false},
		{"VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 9 TlvValue $1; }", "0x07", 2, false},
		{"select $1 { 7 { MaxCPE 1; } default { } }", "7", 2, false},
		{`select "t$1" { t7 { MaxCPE $2; } default { } }`, "7", 2, false},
		{"select $2 { 2 { MaxCPE $1; } default { } }", "7", 4, false},
		{`reject "no $1";`, "7", 2, false},
		{`include "n$1";`, "7", 2, false},
	} {
		b := bench{src: "Main { " + tt.src + " }", blocks: "Block n7 { MaxCPE $2; }", pattern: []string{"", ""}, captures: []string{tt.captured, "2"}, values: modem4}
		tm, err := b.template(t)
		if err != nil {
			t.Fatalf("%s: %v", tt.src, err)
		}
		_, _ = b.made(t, tm)
		s, fixed, fault := tm.Learn(b.name(tm))
		if fault == nil {
			_, fault = b.signed(t, s, nil)
		}
		if fixed != tt.fixed || (fault == Unfit) != tt.unfit {
			t.Errorf("%s with %q: groups %b are fixed, want %b; %v", tt.src, tt.captured, fixed, tt.fixed, fault)
		}
	}
}
