package main

import (
	"encoding/hex"
	"strings"
	"testing"
)

// writingGoldens are what operators write beside what the specifications name. The values are computed by hand.
var writingGoldens = []golden{
	{
		name:  "a label with its number",
		src:   "Main { SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo(4); }",
		holds: "2b060102014501020107" + "01" + "020104",
	},
	{
		name:   "a label with another number",
		src:    "Main {\n SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo(5); }",
		status: failed, stderr: []string{"x.cfg:2:", "has no createAndGo(5): active(1)"},
	},
	{
		name: "a label that nobody knows, with its number", src: varbind("Integer createAndGo(4)"), holds: "020104",
		stderr: []string{"warning: SnmpMibObject: the number of createAndGo is not checked"},
	},
	{
		name:   "a number with a label",
		src:    varbind("Integer 4(createAndGo)"),
		status: failed, stderr: []string{"x.cfg:1:"},
	},
	{
		name: "route distinguishers of RFC 4364, section 4.2, and a VPN by name",
		src: `Main { VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { VPNIdentifier "office";
			BGPAttribute { RouteDistinguisher 64512:100000; }
			BGPAttribute { RouteDistinguisher 192.0.2.1:7; }
			BGPAttribute { RouteDistinguisher 4200000000:7; }
			BGPAttribute { RouteDistinguisher 0x0000fc0000000001; } } } }`,
		holds: "0106" + "6f6666696365" + "150a0208" + "0000fc00000186a0" + "150a0208" + "0001c00002010007" + "150a0208" + "0002fa56ea000007" +
			"150a0208" + "0000fc0000000001",
	},
	{
		name:   "a route distinguisher that does not fit",
		src:    "Main { VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { BGPAttribute {\n RouteDistinguisher 4200000000:70000; } } } }",
		status: failed, stderr: []string{"x.cfg:2:21: RouteDistinguisher", "0 to 65535"},
	},
	{
		name:   "a route distinguisher without an administrator",
		src:    "Main { VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { BGPAttribute {\n RouteDistinguisher :5; } } } }",
		status: failed, stderr: []string{"x.cfg:2:21: "},
	},
	{
		name:   "a rate above 32 bits names the unit",
		src:    "Main { UsServiceFlow {\n MaxRateSustained 10000000000; } }",
		status: failed, stderr: []string{"x.cfg:2:19: MaxRateSustained", "write 10000000 and DataRateUnitSetting 1, kbit/s"},
	},
	{
		name:   "a burst has no unit",
		src:    "Main { UsServiceFlow {\n MaxTrafficBurst 10000000000; } }",
		status: failed, stderr: []string{"0 to 4294967295\n"},
	},
	{name: "proactive grants", src: "Main { UsServiceFlow { SchedulingType 7; } }", begins: "18030f0107" + "0610"},
	{
		name:   "a header suppression mask of a bit for each octet",
		src:    "Main { PHS {\n PHSMask 0x" + strings.Repeat("ff", 33) + "; } }",
		status: failed, stderr: []string{"x.cfg:2:10: PHSMask", "1 to 32 octets"},
	},
	{
		name: "a range that is in doubt", src: "Main { LowLatencyDisable 9; }", begins: "5b0109" + "0610",
		stderr: []string{"x.cfg:1:8: warning: LowLatencyDisable: 9 is outside of 0 to 2, which may be incomplete"},
	},
	{
		name: "a class of 16 characters", src: "Main {\n UsServiceFlow { ServiceClassName \"abcdefghijklmnop\"; } }",
		status: failed, stderr: []string{"x.cfg:2:35: ServiceClassName: 16 characters, at most 15 are allowed; accepted with --lenient"},
	},
	{
		name: "an eRouter in a vendor's block", src: "Main { VendorSpecific { VendorIdentifier 0x00015c; eRouter { InitializationMode 3; } } }",
		begins: "2b0a" + "080300015c" + "ca03" + "010103" + "0610", stderr: []string{"warning: eRouter in VendorSpecific becomes the vendor's TLV 202"},
	},
	{
		name: "but only there", src: "Main {\n UsServiceFlow { eRouter { InitializationMode 3; } } }",
		status: failed, stderr: []string{"x.cfg:2:18: eRouter is not allowed in UsServiceFlow", "accepted with --lenient, or with dcs:lenient in a comment on the file's first line"},
	},
	{name: "an unknown keyword is nothing that lenient accepts", src: "Main { Nothing 1; }", status: failed, stderr: []string{"unknown keyword Nothing\n"}},
	{
		name: "a block for a value", src: "Main {\n MaxCPE { GenericTLV TlvCode 1 TlvValue 0x02; } }",
		status: failed, stderr: []string{"x.cfg:2:2: MaxCPE takes a value", "accepted with --lenient"},
	},
}

// lenientFaults are what the open encoder accepts, by what it makes of it.
var lenientFaults = []struct{ statement, want string }{
	{"DsServiceFlow { UsServiceFlowRef 1; }", "190401020001"},
	{`UsServiceFlow { ServiceClassName "abcdefghijklmnop"; }`, "18130411" + hex.EncodeToString([]byte("abcdefghijklmnop")) + "00"},
	{"MaxCPE { GenericTLV TlvCode 1 TlvValue 0x02; }", "1203010102"},
	{`SnmpMibObject docsDevNmAccessStatus.1 String "4";`, "0b123010060b2b0601020145010201070104" + "0134"},
}

// Every error that lenient lifts names it, and each way to ask for it lifts every one.
func TestLenient(t *testing.T) {
	t.Chdir(t.TempDir())
	for _, f := range lenientFaults {
		for _, tt := range []struct {
			file, before string
			args         []string
			accepted     bool
		}{
			{"a.cfg", "", nil, false},
			{"a.cfg", "", []string{"--lenient"}, true},
			{"a.cfg", "/* dcs:lenient */\n", nil, true},
			{"a.cfg", "\ufeff// dcs:lenient since 2009\r\n", nil, true},
			{"a.cfg", "/* dcs:lenient, as the files of before were\n and are */", nil, true},
			{"a.cfg", "# dcs:lenient: old files\n", nil, true},
			{"a.cfg", "/** dcs:lenient **/", nil, true},
			{"a.cfg", "# not dcs:lenient\n", nil, false},
			{"a.cfg", "# dcs:lenient_files\n", nil, false},
			{"a.cfg", "\n/* dcs:lenient */\n", nil, false},
			{"a.dcs", "#dcs:lenient\n", nil, true},
			{"a.dcs", "# dcs:lenients\n", nil, false},
			{"a.dcs", "", nil, false},
		} {
			write(t, tt.file, tt.before+"Main { "+f.statement+" }")
			got := dcs("", append([]string{"compile", tt.file}, tt.args...)...)
			file := hex.EncodeToString([]byte(got.stdout))
			switch {
			case tt.accepted && (got.status != done || !strings.HasPrefix(file, f.want) || !strings.Contains(got.stderr, "warning: ")):
				t.Errorf("%q, %s, %v: %d, %s\n%s", tt.before, f.statement, tt.args, got.status, file, got.stderr)
			case !tt.accepted && (got.status != failed || !strings.Contains(got.stderr, "; accepted with --lenient, or with dcs:lenient in a comment on the file's first line")):
				t.Errorf("%q, %s, %v: %d\n%s", tt.before, f.statement, tt.args, got.status, got.stderr)
			}
			write(t, tt.file, tt.before+"Main { NetworkAccess 1; }")
			got = dcs("", "compile", tt.file)
			if idle := "2:1: warning: dcs:lenient has no effect here"; strings.Contains(got.stderr, idle) != strings.HasPrefix(tt.before, "\n") {
				t.Errorf("%q: %s", tt.before, got.stderr)
			}
		}
	}
}

// A file that is lenient does not make others so that it includes, and is so where it is included.
func TestLenientIncludes(t *testing.T) {
	const fault = "DsServiceFlow { UsServiceFlowRef 1; }"
	for _, tt := range []struct {
		name, main, block string
		status            int
	}{
		{"the block's", "Main { NetworkAccess 1; include old; }", "# dcs:lenient\nBlock old { " + fault + " }", done},
		{"the template's", "# dcs:lenient\nMain { NetworkAccess 1; include old; }", "Block old { " + fault + " }", failed},
		{"after the block's", "Main { NetworkAccess 1; include old; " + fault + " }", "# dcs:lenient\nBlock old { MaxCPE 1; }", failed},
		{"in a chosen block", `Main ~ "^(?P<b>old|new)$" { include $b; }`, "# dcs:lenient\nBlock old { " + fault + " } Block new { }", done},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			write(t, "a.dcs", tt.main)
			write(t, "b.dcs", tt.block)
			if got := dcs("", "compile", "a.dcs", "--name", map[bool]string{true: "old", false: "a"}[strings.Contains(tt.main, "~")]); got.status != tt.status {
				t.Errorf("status %d, want %d: %s", got.status, tt.status, got.stderr)
			}
		})
	}
}

// Digit maps have an index: pktcEUERSTDMValue, 1.3.6.1.4.1.4491.2.2.8.2.1.1.3.1.1.2, is a column.
func TestDigitMaps(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "a.map", "x.")
	write(t, "b.map", "xx")
	const column = "06122b06010401a30b020208020101030101" + "02"
	both := "0b1a3018" + column + "01" + "0402782e" + "0b1a3018" + column + "02" + "04027878"
	for _, tt := range []struct {
		maps, want, says string
	}{
		{`DigitMap "a.map"; DigitMap "b.map" 2;`, both, ""},
		{`DigitMap "a.map" 1; SnmpMibObject .1.3.6.1.4.1.4491.2.2.8.2.1.1.3.1.1.2.2 String "xx";`, both, ""},
		{`DigitMap "a.map"; DigitMap "b.map";`, strings.Replace(both, column+"02", column+"01", 1), "x.cfg:1:48: warning: DigitMap: the file sets the digit map of this index already"},
		{`DigitMap "a.map" 0;`, "", "x.cfg:1:47: SnmpMibObject: expected the map's index, 1 to 4294967295, got 0"},
		{`DigitMap "a.map" 2 3;`, "", "expected a file name in quotes, and the map's index"},
	} {
		write(t, "x.cfg", "Main { MtaConfigDelimiter 1; "+tt.maps+" MtaConfigDelimiter 255; }")
		got := dcs("", "compile", "x.cfg")
		want := ""
		if tt.want != "" {
			want = "fe0101" + tt.want + "fe01ff"
		}
		if file := hex.EncodeToString([]byte(got.stdout)); file != want || !strings.Contains(got.stderr, tt.says) || tt.says == "" && got.stderr != "" {
			t.Errorf("%s:\ngot  %s\nwant %s\n%s", tt.maps, file, want, got.stderr)
		}
	}
}
