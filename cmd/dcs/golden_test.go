package main

import (
	"bytes"
	"encoding/hex"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// golden is a source and what it must become. The values were computed with other
// programs than this one: the open docsis encoder, or by hand from X.690 and MULPI.
type golden struct {
	name   string
	file   string // the source's name; "x.cfg" if empty
	src    string
	args   []string
	whole  string   // the file, in hexadecimal
	begins string   // or its beginning
	holds  string   // or what stands somewhere in it
	status int      // of dcs compile
	stderr []string // what it says
}

const asn = ".1.3.6.1.4.1.4491.1.1" // 09 octets: 2b 06 01 04 01 a3 0b 01 01

var goldens = []golden{
	{
		name:  "aligned without padding",
		src:   "Main{NetworkAccess 1;}",
		whole: "0301010610a3ab4e9009b0f65a3ff916999853a25707108ece128abaee3a1faca93737c576bb7eff",
	},
	{
		name: "every instance counts in the CMTS MIC",
		src: `Main { NetworkAccess 1;
			UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }
			UsServiceFlow { UsServiceFlowRef 2; QosParamSetType 7; } }`,
		begins: "030101" + "180701020001060107" + "180701020002060107",
		holds:  "0710a4574082860ae593841a81b80d79ed35ff",
	},
	{
		name:   "a block of more than 255 octets",
		src:    "Main {\n  DsPacketClass {\n" + strings.Repeat("    IpPacketClassifier { IpTos 0x000000; }\n", 40) + "  }\n}",
		status: failed, stderr: []string{"x.cfg:2:3: "},
	},
	{
		name:   "a varbind of more than 255 octets in a modem's file",
		src:    "Main {\n  SnmpMibObject " + asn + " String \"" + strings.Repeat("a", 300) + "\";\n}",
		status: failed, stderr: []string{"x.cfg:2:"},
	},
	{
		name: "and in an MTA's",
		src: "Main { MtaConfigDelimiter 1; SnmpMibObject " + asn + " String \"" + strings.Repeat("a", 300) + "\"; " +
			"MtaConfigDelimiter 255; }",
		whole: "fe0101" + "40013f" + "3082013b" + "06092b06010401a30b0101" + "0482012c" + strings.Repeat("61", 300) + "fe01ff",
	},
	{
		name:   "an eSAFE's TLV in pieces of 254",
		src:    "Main { eMTA 0x" + strings.Repeat("5a", 300) + "; }",
		begins: "d8fe" + strings.Repeat("5a", 254) + "d82e" + strings.Repeat("5a", 46) + "0610",
	},
	{
		name:   "64 in a modem's file has a length of one octet",
		src:    "Main { CMTSStaticMulticastSessionEncodings { CMTSStaticMulticastSessionGroup 224.0.1.1; } }",
		begins: "40060104e00001010610",
	},
	{
		name:   "103 has a length of two",
		src:    "Main { CMSSHServerConfiguration { CommonSSHConfiguration { SSHInactivityTimeout 1800; } } }",
		begins: "670008010602040000" + "0708" + "0610",
	},
	{
		name:   "a backslash stays a backslash",
		src:    `Main { SwUpgradeFilename "a\"b\\c"; }`,
		begins: "09056122625c630610",
	},
	{
		name:   "a vendor identifier in quotes",
		src:    "Main {\n VendorSpecific {\n  VendorIdentifier \"0xffffff\";\n }\n}",
		status: failed, stderr: []string{"x.cfg:3:20: VendorIdentifier", "not quoted"},
	},
	{
		name:   "a list of one",
		src:    "Main { UpstreamDropClassifierGroupID 5; }",
		begins: "3e01050610",
	},
	{name: "33 bits", src: "Main { UsServiceFlow {\n MaxRateSustained 10000000000; } }", status: failed, stderr: []string{"x.cfg:2:19: MaxRateSustained", "4294967295"}},
	{name: "negative", src: "Main { UsServiceFlow {\n MaxRateSustained -1; } }", status: failed, stderr: []string{"x.cfg:2:19: MaxRateSustained"}},
	{name: "out of range", src: "Main {\n NetworkAccess 300; }", status: failed, stderr: []string{"x.cfg:2:16: NetworkAccess"}},
	{name: "code out of range", src: "Main {\n GenericTLV TlvCode 300 TlvLength 1 TlvValue 0x00; }", status: failed, stderr: []string{"x.cfg:2:", "300"}},
	{
		name:   "a keyword of another block",
		src:    "Main {\n DsServiceFlow {\n  MaxRateDown 1000;\n }\n}",
		status: failed, stderr: []string{"x.cfg:3:3: MaxRateDown", "ClassOfService"},
	},
	{
		name:   "a keyword of another block that stands for the same code here",
		src:    "Main {\n DsServiceFlow {\n  UsServiceFlowRef 1;\n }\n}",
		status: failed, stderr: []string{"x.cfg:3:3: UsServiceFlowRef", "UsServiceFlow", "DsServiceFlowRef"},
	},
	{
		name: "and is let through", args: []string{"--lenient"},
		src:    "Main {\n DsServiceFlow {\n  UsServiceFlowRef 1;\n }\n}",
		begins: "1904010200010610", stderr: []string{"x.cfg:3:3: ", "UsServiceFlowRef"},
	},
	{name: "a long varbind in short form", src: varbind("String \"" + strings.Repeat("a", 108) + `"`), begins: "0b7b3079"},
	{name: "in long form from here on", src: varbind("String \"" + strings.Repeat("a", 110) + `"`), begins: "0b7f3082007b"},
	{name: "Integer 128", src: varbind("Integer 128"), holds: "02020080"},
	{name: "Integer -129", src: varbind("Integer -129"), holds: "0202ff7f"},
	{name: "Integer -1", src: varbind("Integer -1"), holds: "0201ff"},
	{name: "Gauge32 4294967295", src: varbind("Gauge32 4294967295"), holds: "420500ffffffff"},
	{name: "an empty string", src: varbind(`String ""`), begins: "0b0f300d06092b06010401a30b01010400"},
	{name: "the largest arc", src: "Main { SnmpMibObject .1.3.6.1.4.1.4491.4294967295 Integer 1; }", holds: "2b06010401a30b8fffffff7f020101"},
	{
		name:   "an implied index",
		src:    "Main { SnmpMibObject snmpCommunityName.'abc' String \"x\"; }",
		holds:  "2b060106031201010102616263" + "040178",
		begins: "0b",
	},
	{
		name:  "an index with its length",
		src:   "Main { SnmpMibObject snmpCommunityName.\"abc\" String \"x\"; }",
		holds: "2b06010603120101010203616263" + "040178",
	},
	{
		name: "16 characters and a NUL", args: []string{"--lenient"}, stderr: []string{"16 characters"},
		src:    `Main { UsServiceFlow { ServiceClassName "abcdefghijklmnop"; } }`,
		begins: "18130411" + hex.EncodeToString([]byte("abcdefghijklmnop")) + "00" + "0610",
	},
	{
		name:   "17 characters",
		src:    "Main { UsServiceFlow {\n ServiceClassName \"abcdefghijklmnopq\"; } }",
		status: failed, stderr: []string{"x.cfg:2:19: ServiceClassName", "15"},
	},
	{
		name: "an MTA hash on a modem's file", args: []string{"--mta-hash", "na"},
		src: "Main { NetworkAccess 1; }", status: failed, stderr: []string{"MTA"},
	},
	{
		name: "an MTA hash without the closing delimiter", args: []string{"--mta-hash", "na"},
		src: "Main { MtaConfigDelimiter 1; SnmpMibObject " + asn + " Integer 1; }", status: failed, stderr: []string{"delimiter"},
	},
	{
		name: "an ambiguous name is CableLabs'",
		src:  "Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }", holds: "2b06010401a30b0202010101" + "0700" + "020101",
	},
	{
		name: "unless its module is given",
		src:  "Main { SnmpMibObject PKTC-IETF-MTA-MIB::pktcMtaDevEnabled.0 Integer 1; }", holds: "2b06010201810c010106" + "00" + "020101",
	},
	{
		name: "or preferred", args: []string{"--mib-prefer", "PKTC-IETF-MTA-MIB"},
		src: "Main { SnmpMibObject pktcMtaDevEnabled.0 Integer 1; }", holds: "2b06010201810c010106" + "00" + "020101",
	},
	{
		name:  "an enumeration's label",
		src:   "Main { SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo; }",
		holds: "2b060102014501020107" + "01" + "020104",
	},
	{
		name: "a value of the wrong type",
		src:  "Main {\n SnmpMibObject docsDevNmAccessStatus.1 String \"4\"; }", status: failed, stderr: []string{"x.cfg:2:", "docsDevNmAccessStatus"},
	},
	{
		name: "a name that nobody has",
		src:  "Main {\n SnmpMibObject docsDevNmAcessStatus.1 Integer 4; }", status: failed, stderr: []string{"x.cfg:2:16: ", "docsDevNmAccessStatus"},
	},
	{
		name:   "a GenericTLV before the vendor's identifier",
		src:    "Main {\n VendorSpecific {\n  GenericTLV TlvCode 1 TlvLength 1 TlvValue 0x05;\n  VendorIdentifier 0x00015c;\n }\n}",
		begins: "2b08" + "010105" + "080300015c" + "0610", stderr: []string{"VendorIdentifier"},
	},
	{
		name:   "94 has a name of its own",
		src:    "Main { DownstreamEHQoSASF { ServiceFlowReference 1; } UpstreamEHQoSASF { ServiceFlowReference 2; } }",
		begins: "5e0401020001" + "5d0401020002" + "0610",
	},
	{
		name:   "every error is told",
		src:    "Main {\n NetworkAccess 2;\n MaxCPE 256;\n Nothing 1;\n}",
		status: failed, stderr: []string{"x.cfg:2:16: ", "x.cfg:3:9: ", "x.cfg:4:2: "},
	},
	{
		name: "CRLF",
		src:  "Main\r\n{\r\n NetworkAccess 1;\r\n}\r\n", begins: "0301010610a3ab4e9009b0f65a3ff916999853a257",
	},
	{
		name: "the time and the modem's address", file: "x.dcs",
		args:   []string{"--time", "2026-01-02T03:04:05Z", "--ip", "10.1.2.3"},
		src:    "Main { TftpTimestamp $time; TftpModemAddress $ip; }",
		begins: "1304" + "ed01b425" + "14040a010203" + "0610", // 1767323045 + 2208988800 seconds
	},
	{
		name: "no address for a string", file: "x.dcs",
		src: `Main { SwUpgradeFilename "$server-$ip"; }`, status: failed,
		stderr: []string{"x.dcs:1:8: SwUpgradeFilename", "the request brings no such address", "--ip", "--server"},
	},
	{
		name: "addresses for a string", file: "x.dcs", args: []string{"--server", "10.0.0.1", "--ip", "10.1.2.3"},
		src:    `Main { SwUpgradeFilename "$server-$ip"; }`,
		begins: "0911" + hex.EncodeToString([]byte("10.0.0.1-10.1.2.3")) + "0610",
	},
	{
		name: "IPv4 written as IPv6", file: "x.dcs", args: []string{"--server", "::ffff:10.0.0.1", "--ip", "::ffff:1.2.3.4"},
		src:    `Main { SwUpgradeServer $server; TftpModemAddress $ip; }`,
		begins: "1504" + "0a000001" + "1404" + "01020304" + "0610",
	},
	{
		name: "what --set gives goes before a default", file: "x.dcs", args: []string{"--set", "down=512"},
		src:    "Main { default down 8; default up 1k; DsServiceFlow { MaxRateSustained $down * 1000; MaxTrafficBurst $up; } }",
		begins: "190c" + "08040007d000" + "0904000003e8" + "0610",
	},
	{
		name: "what a file name says", file: "x.dcs", args: []string{"--name", "cpe7.bin"},
		src:    `Main ~ "^cpe(?P<n>[0-9]+)\.bin$" { MaxCPE $n; }`,
		begins: "1201070610",
	},
	{
		name: "the device behind a name", file: "x.dcs", args: []string{"--name", "plain@0a0102030405", "--mac", "0e0102030405"},
		src:    `Main "plain" { CpeMacAddress $mac; SwUpgradeFilename "$filename"; }`,
		begins: "0e06" + "0a0102030405" + "0905" + "706c61696e" + "0610",
	},
	{
		name: "a device that the name does not hold", file: "x.dcs", args: []string{"--name", "plain", "--mac", "0e0102030405"},
		src:    `Main "plain" { CpeMacAddress $mac; }`,
		begins: "0e06" + "0e0102030405" + "0610",
	},
	{
		name: "slashes in front of a name", file: "x.dcs", args: []string{"--name", "//plain"},
		src:    `Main "plain" { SwUpgradeFilename "$filename"; }`,
		begins: "0905" + "706c61696e" + "0610",
	},
	{
		name: "a name that nothing matches", file: "x.dcs", args: []string{"--name", "cpe.bin"},
		src: `Main ~ "^cpe(?P<n>[0-9]+)\.bin$" { MaxCPE $n; }`, status: failed, stderr: []string{"cpe.bin"},
	},
}

func varbind(value string) string { return "Main { SnmpMibObject " + asn + " " + value + "; }" }

func TestGolden(t *testing.T) {
	for _, tt := range slices.Concat(goldens, writingGoldens) {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			t.Chdir(dir)
			write(t, "secret", "DOCSIS\n")
			if tt.file == "" {
				tt.file = "x.cfg"
			}
			write(t, tt.file, tt.src)
			got := dcs("", append([]string{"compile", tt.file, "--secret-file", "secret"}, tt.args...)...)
			if got.status != tt.status || tt.stderr == nil && got.stderr != "" {
				t.Fatalf("status %d, want %d; stderr:\n%s", got.status, tt.status, got.stderr)
			}
			for _, s := range tt.stderr {
				if !strings.Contains(got.stderr, s) {
					t.Errorf("it does not say %q:\n%s", s, got.stderr)
				}
			}
			file := hex.EncodeToString([]byte(got.stdout))
			switch {
			case tt.status != done && file != "":
				t.Errorf("it failed, and wrote %s", file)
			case tt.whole != "" && file != tt.whole:
				t.Errorf("got  %s\nwant %s", file, tt.whole)
			case !strings.HasPrefix(file, tt.begins):
				t.Errorf("got  %s\nwant %s…", file, tt.begins)
			case !strings.Contains(file, tt.holds):
				t.Errorf("got  %s\nwant …%s…", file, tt.holds)
			}
			if len(got.stdout)%4 != 0 && !strings.Contains(tt.src, "MtaConfigDelimiter") {
				t.Errorf("%d octets are no multiple of 4", len(got.stdout))
			}
		})
	}
}

func TestCertificates(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := os.Mkdir("sub", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		size   int
		pieces []int
	}{{254, []int{254}}, {255, []int{254, 1}}, {508, []int{254, 254}}, {700, []int{254, 254, 192}}} {
		cert := firmware(tt.size)
		cert[0] = 0x30 // as a certificate in DER begins
		if err := os.WriteFile(filepath.Join("sub", "cvc.der"), cert, 0o600); err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join("sub", "x.cfg"), `Main { ManufacturerCVC "cvc.der"; }`) // relative to the source
		got := dcs("", "compile", filepath.Join("sub", "x.cfg"))
		var want []byte
		at := 0
		for _, n := range tt.pieces {
			want = append(append(want, 32, byte(n)), cert[at:at+n]...)
			at += n
		}
		if got.status != done || !bytes.HasPrefix([]byte(got.stdout), append(want, 6, 16)) {
			t.Errorf("%d octets: status %d, % x\n%s", tt.size, got.status, got.stdout, got.stderr)
		}
	}
}

// A file that is damaged is shown as far as it goes.
func TestDecodeDamaged(t *testing.T) {
	tests := []struct {
		name, file string // in hexadecimal
		stdout     string // what is shown of it
		stderr     string // what is said of the damage
	}{
		{"cut in a value", "030101" + "1201", "NetworkAccess 1;", "3"},
		{"cut before the length", "030101" + "12", "NetworkAccess 1;", "3"},
		{"longer than the file", "030101" + "18ff0102", "NetworkAccess 1;", "3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			file, err := hex.DecodeString(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			for _, flag := range []string{"--json=false", "--json"} {
				got := dcs(string(file), "decode", "-", flag)
				if got.status != failed || !strings.Contains(got.stderr, "standard input: ") || !strings.Contains(got.stderr, tt.stderr) {
					t.Errorf("%s: %+v", flag, got)
				}
				if !strings.Contains(got.stdout, strings.Fields(tt.stdout)[0]) {
					t.Errorf("%s: shown is %s", flag, got.stdout)
				}
			}
		})
	}
}
