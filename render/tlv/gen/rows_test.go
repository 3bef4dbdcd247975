package main

import (
	"os"
	"strings"
	"testing"
)

// Rows that the table must not have, and the error that says why.
func TestBadRows(t *testing.T) {
	kinds, err := readKinds("../kind.go")
	if err != nil {
		t.Fatal(err)
	}
	const good = header + "\n" +
		"24,UsServiceFlow,,group,,,0,255,1.1,cm-config,y,,,,C.1,\n" +
		"24.8,MaxRateSustained,MaxRate:bytes,uint32,0,4294967295,4,4,1.1,cm-config,n,,,,C.2,\n" +
		"24.43,VendorSpecific,,vendor_group,,,0,255,1.1,vendor,y,,,,C.3,\n"
	if _, err := readTable("tlvs.csv", strings.NewReader(good), kinds); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ row, want string }{
		{"300,Big,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 300: code "300": want 0 to 255`},
		{"24.x,Big,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 24.x: code "x": want 0 to 255`},
		{"pc:5,Big,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path pc:5: code "pc:5": want 0 to 255`},
		{"24.08,Big,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 24.08: code "08": want 0 to 255`},
		{"24.8,Big,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 24.8: line 3 has the same path`},
		{"25.1,Lost,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 25.1: no row for the parent, 25`},
		{"mta:24.43.9,Deep,,uint8,0,255,1,1,1.1,mta,,,,,,", `path mta:24.43.9: no row for the parent, mta:24.43`},
		{"5,,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 5: no name`},
		{"5,N,M:octets,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 5: alias M:octets: unknown form "octets"; known are bytes, digitmap_file, file`},
		{"5,N,,unit8,0,255,1,1,1.1,cm-config,,,,,,", `path 5: unknown kind "unit8"; known are bytes, bytes_len16, cert_fragments, `},
		{"5,N,,uint8,0,255,1,1,1.1,cm,,,,,,", `path 5: unknown scope "cm"; known are cablehome-ps, cm-config, mta, registration-only, vendor`},
		{"5,N,,uint8,0,255,1,1,1.1,cm-config,yes,,,,,", `path 5: unknown repeat "yes"; known are n, y`},
		{"5,N,,bytes,,,1,1,1.1,cm-config,,,,n,,", `path 5: unknown trait "n"; known are literal, quoted, unsure`},
		{"5,N,,bytes,,,1,1,1.1,cm-config,,,,unsure,,", `path 5: unsure without a range: want min and max`},
		{"5,N,,uint8,0,255,1,1,1.1,cm-config,,22,,,,", `path 5: mic_order 22: want 1 to 21`},
		{"5,N,,uint8,0,,1,1,1.1,cm-config,,,,,,", `path 5: half a range: want min and max, or neither`},
		{"5,N,,ipv4,0,9,4,4,1.1,cm-config,,,,,,", `path 5: kind ipv4 takes no range: leave min and max empty`},
		{"5,N,,uint8,0,256,1,1,1.1,cm-config,,,,,,", `path 5: max 256: want 0 to 255`},
		{"5,N,,uint24,0,16777216,3,3,1.1,cm-config,,,,,,", `path 5: max 16777216: want 0 to 16777215`},
		{"5,N,,uint16_list,0,65536,2,254,1.1,cm-config,,,,,,", `path 5: max 65536: want 0 to 65535`},
		{"5,N,,int8,-129,0,1,1,1.1,cm-config,,,,,,", `path 5: min -129: want -128 to 127`},
		{"5,N,,uint8,0,many,1,1,1.1,cm-config,,,,,,", `path 5: max many: want 0 to 255`},
		{"5,N,,uint8,5,3,1,1,1.1,cm-config,,,,,,", `path 5: min 5 is above max 3`},
		{"5,N,,uint8,0,255,2,1,1.1,cm-config,,,,,,", `path 5: len_min 2 is above len_max 1`},
		{"5,N,,uint16,0,255,1,1,1.1,cm-config,,,,,,", `path 5: len_min 1: want 2`},
		{"5,N,,bytes,,,1,256,1.1,cm-config,,,,,,", `path 5: len_max 256: want 0 to 255`},
		{"5,N,,bytes,,,1,,1.1,cm-config,,,,,,", `path 5: no length: kind bytes wants len_min and len_max`},
		{"5,N,,marker,,,0,0,1.1,cm-config,,,,,,", `path 5: kind marker takes no length: leave len_min and len_max empty`},
		{"25,N,,group,,,0,255,1.1,cm-config,,,26,,,", `path 25: same_as 26: no such row`},
		{"24.9,N,,group,,,0,255,1.1,cm-config,,,24,,,", `path 24.9: same_as 24: the row would hold itself`},
		{"24.9,maxratesustained,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 24.9: keyword maxratesustained: path 24.8 on line 3 has it already`},
		{"24.9,maxrate,,uint8,0,255,1,1,1.1,cm-config,,,,,,", `path 24.9: keyword maxrate: path 24.8 on line 3 has it already`},
		{"5,N,,uint8", `path 5: 4 fields: want 16`},
		{`5,"N,,uint8`, `extraneous or missing " in quoted-field`},
	} {
		_, err := readTable("tlvs.csv", strings.NewReader(good+tt.row+"\n"), kinds)
		if err == nil || !strings.HasPrefix(err.Error(), "tlvs.csv:5: "+tt.want) {
			t.Errorf("%s: %v, want tlvs.csv:5: %s", tt.row, err, tt.want)
		}
	}
	// All wrong rows are reported together.
	_, err = readTable("tlvs.csv", strings.NewReader(good+"300,A,,uint8\n5,B,,unit8,,,1,1,1.1,cm-config,,,,,,\n"), kinds)
	if err == nil || !strings.Contains(err.Error(), "tlvs.csv:5: ") || !strings.Contains(err.Error(), "\ntlvs.csv:6: ") {
		t.Errorf("two wrong rows: %v", err)
	}
}

// What the generator reads of kind.go.
func TestReadKinds(t *testing.T) {
	kinds, err := readKinds("../kind.go")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]kind{
		"uint8":       {"KindUint8", 1, 1, false, true},
		"int32":       {"KindInt32", 1, 4, true, true},
		"uint16_list": {"KindUint16List", 1, 2, false, false},
		"bytes_len16": {"KindBytesLen16", 2, 0, false, false},
		"ip_port":     {"KindIPPort", 1, 0, false, false},
		"marker":      {"KindMarker", 0, 0, false, false},
	} {
		if kinds[name] != want {
			t.Errorf("%s: %+v, want %+v", name, kinds[name], want)
		}
	}
}

func TestTable(t *testing.T) {
	t.Chdir("..")
	got, err := generate("tlvs.csv")
	if err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("zdict.go")
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Error("zdict.go is not what tlvs.csv generates; run go generate ./render/tlv")
	}
}
