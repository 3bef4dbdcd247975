package ber

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Contents octets by hand from X.690, section 8.19.
var oids = []struct {
	dotted, hex string
}{
	{"0.0", "00"},
	{"0.39", "27"},
	{"1.0", "28"},
	{"1.3", "2b"},
	{"1.39", "4f"},
	{"2.0", "50"},
	{"2.39", "77"},
	{"2.47", "7f"},
	{"2.48", "8100"},
	{"2.999.3", "883703"}, // the standard's own example
	{"2.4294967295", "90 80 80 80 4f"},
	{"1.3.6.1.2.1.69.1.2.1.2.1", "2b060102014501020102 01"},
	{"1.3.6.1.4.1.4491.1.1", "2b06010401a30b0101"},
	{"1.3.6.1.4.1.4115.11.1.2.1", "2b06010401a0130b010201"},
	{"1.3.127.128.16383.16384", "2b 7f 8100 ff7f 818000"},
	{"1.3.6.2097151.2097152.268435455.268435456", "2b06 ffff7f 81808000 ffffff7f 8180808000"},
	{"1.3.6.4294967295", "2b068fffffff7f"},
}

func TestOID(t *testing.T) {
	for _, tt := range oids {
		oid, err := ParseOID(tt.dotted)
		if err != nil {
			t.Errorf("ParseOID(%s): %v", tt.dotted, err)
			continue
		}
		want := unhex(t, tt.hex)
		if got := AppendOID(nil, oid); !bytes.Equal(got, want) {
			t.Errorf("AppendOID(%s) = %x, want %x", tt.dotted, got, want)
		}
		back, err := DecodeOID(want)
		if err != nil || back.String() != tt.dotted {
			t.Errorf("DecodeOID(%x) = %v, %v, want %s", want, back, err, tt.dotted)
		}
		if dot, err := ParseOID("." + tt.dotted); err != nil || dot.String() != tt.dotted {
			t.Errorf("ParseOID(.%s) = %v, %v", tt.dotted, dot, err)
		}
	}
	if got := AppendOID(nil, OID{1}); !bytes.Equal(got, []byte{0x28}) {
		t.Errorf("single arc: %x, want 28", got)
	}
}

func TestParseOIDErrors(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"", "missing"},
		{".", "missing"},
		{"1..3", "missing"},
		{"1.3.", "missing"},
		{"..1.3", "missing"},
		{"1.3.x", "missing"},
		{"1.3.6x", "not a digit"},
		{"1.3.-6", "missing"},
		{"1.3.4294967296", "32 bits"},
		{"1.3.99999999999999999999999", "32 bits"},
		{"3.1", "first arc 3"},
		{"1.40", "second arc 40"},
		{"0.40", "second arc 40"},
		{"1.3" + strings.Repeat(".1", 127), "more than 128"},
	} {
		_, err := ParseOID(tt.in)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("ParseOID(%q): %v, want %q", tt.in, err, tt.want)
		}
	}
	if _, err := ParseOID("1.3" + strings.Repeat(".1", 126)); err != nil {
		t.Errorf("128 arcs: %v", err)
	}
}

func TestDecodeOIDErrors(t *testing.T) {
	for _, tt := range []struct{ hex, want string }{
		{"", "empty"},
		{"2b06 80", "offset 2: sub-identifier with a leading"},
		{"2b06 8001", "offset 2: sub-identifier with a leading"},
		{"2b06 81", "offset 2: sub-identifier is cut off"},
		{"81", "offset 0: sub-identifier is cut off"},
		{"2b 9080808000", "offset 1: sub-identifier wider"}, // 2^32
		{"90 80 80 80 50", "offset 0: sub-identifier wider"},
		{"2b ffffffffffffffffffff7f", "offset 1: sub-identifier wider"},
		{"2b" + strings.Repeat("01", 127), "more than 128"},
	} {
		_, err := DecodeOID(unhex(t, tt.hex))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("DecodeOID(%s): %v, want %q", tt.hex, err, tt.want)
		}
	}
}

func TestIntegers(t *testing.T) {
	for _, tt := range []struct {
		v   int64
		hex string
	}{
		{0, "00"},
		{1, "01"},
		{127, "7f"},
		{128, "0080"},
		{255, "00ff"},
		{256, "0100"},
		{32767, "7fff"},
		{32768, "008000"},
		{8388608, "00800000"},
		{2147483647, "7fffffff"},
		{-1, "ff"},
		{-128, "80"},
		{-129, "ff7f"},
		{-32768, "8000"},
		{-2147483648, "80000000"},
		{1<<63 - 1, "7fffffffffffffff"},
		{-1 << 63, "8000000000000000"},
	} {
		want := unhex(t, tt.hex)
		if got := AppendInt(nil, tt.v); !bytes.Equal(got, want) {
			t.Errorf("AppendInt(%d) = %x, want %x", tt.v, got, want)
		}
		if got, err := DecodeInt(want); err != nil || got != tt.v {
			t.Errorf("DecodeInt(%x) = %d, %v, want %d", want, got, err, tt.v)
		}
	}
	for _, tt := range []struct {
		v   uint64
		hex string
	}{
		{0, "00"},
		{127, "7f"},
		{128, "0080"},
		{65535, "00ffff"},
		{4294967295, "00ffffffff"},
		{1<<63 - 1, "7fffffffffffffff"},
		{1 << 63, "008000000000000000"},
		{1<<64 - 1, "00ffffffffffffffff"},
	} {
		want := unhex(t, tt.hex)
		if got := AppendUint(nil, tt.v); !bytes.Equal(got, want) {
			t.Errorf("AppendUint(%d) = %x, want %x", tt.v, got, want)
		}
		if got, err := DecodeUint(want); err != nil || got != tt.v {
			t.Errorf("DecodeUint(%x) = %d, %v, want %d", want, got, err, tt.v)
		}
	}
	// Other encoders pad integers (X.690, section 8.3.2, forbids it) or leave out the zero that makes an unsigned one positive.
	for h, want := range map[string]int64{"00000004": 4, "ffffffff": -1, "00000000000000000000000080": 128, "ffffffffffffffffff80": -128} {
		if got, err := DecodeInt(unhex(t, h)); err != nil || got != want {
			t.Errorf("DecodeInt(%s) = %d, %v, want %d", h, got, err, want)
		}
	}
	for h, want := range map[string]uint64{"00000004": 4, "ffffffff": 1<<32 - 1, "ffffffffffffffff": 1<<64 - 1, "0000000000000000000000000005": 5} {
		if got, err := DecodeUint(unhex(t, h)); err != nil || got != want {
			t.Errorf("DecodeUint(%s) = %d, %v, want %d", h, got, err, want)
		}
	}
	for _, h := range []string{"", "010000000000000000", "80", "ffffff"} {
		if v, err := DecodeUint(unhex(t, h)); err == nil {
			t.Errorf("DecodeUint(%s) = %d, want an error", h, v)
		}
	}
	for _, h := range []string{"", "008000000000000000", "ff7fffffffffffffff"} {
		if v, err := DecodeInt(unhex(t, h)); err == nil {
			t.Errorf("DecodeInt(%s) = %d, want an error", h, v)
		}
	}
}

// Varbinds as the open docsis encoder writes them: the integers and lengths from running
// it, the 506 octets from one of its test files; the last three go by the rules of AppendVarbind.
var varbinds = []struct {
	name  string
	oid   string
	tag   Tag
	value string // hex
	want  string // hex; "…" stands for the value
}{
	{"integer", "1.3.6.1.2.1.69.1.6.4.1.2.1", Integer, "04", "3011 060c 2b060102014501060401 0201 0201 …"},
	{"integer 128", "1.3.6.1.4.1.4491.1.1", Integer, "0080", "300f 0609 2b06010401a30b0101 0202 …"},
	{"integer -129", "1.3.6.1.4.1.4491.1.1", Integer, "ff7f", "300f 0609 2b06010401a30b0101 0202 …"},
	{"integer -1", "1.3.6.1.4.1.4491.1.1", Integer, "ff", "300e 0609 2b06010401a30b0101 0201 …"},
	{"gauge 4294967295", "1.3.6.1.4.1.4491.1.1", Gauge32, "00ffffffff", "3012 0609 2b06010401a30b0101 4205 …"},
	{"empty string", "1.3.6.1.4.1.4491.1.1", OctetString, "", "300d 0609 2b06010401a30b0101 0400"},
	{"address", "1.3.6.1.2.1.69.1.6.4.1.7.1", IPAddress, "0a000000", "3014 060c 2b060102014501060401 0701 4004 …"},
	{"sub-identifier 4294967295", "1.3.6.4294967295", Integer, "01", "300c 0607 2b068fffffff7f 0201 …"},
	{"108 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 108), "3079 0609 2b06010401a30b0101 046c …"},
	{"109 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 109), "307a 0609 2b06010401a30b0101 046d …"},
	{"110 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 110), "3082007b 0609 2b06010401a30b0101 046e …"},
	{"127 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 127), "3082008c 0609 2b06010401a30b0101 047f …"},
	{"128 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 128), "3082008e 0609 2b06010401a30b0101 048180 …"},
	{"255 octets", "1.3.6.1.4.1.4491.1.1", OctetString, strings.Repeat("61", 255), "3082010d 0609 2b06010401a30b0101 0481ff …"},
	{"506 octets", "1.3.6.1.4.1.4115.11.1.2.1", OctetString, strings.Repeat("30", 506), "3082020b 060b 2b06010401a0130b010201 048201fa …"},
	// Wide sub-identifiers: arcs say "short", but one length octet would be illegal.
	{
		"wide arcs", "1.3" + strings.Repeat(".4294967295", 10), OctetString, strings.Repeat("61", 90),
		"30820091 0633 2b" + strings.Repeat("8fffffff7f", 10) + " 045a …",
	},
	// Only strings are counted the peculiar way.
	{
		"ObjectID with a long name", "1.3" + strings.Repeat(".1", 110), ObjectID, "2b060102",
		"3077 066f 2b" + strings.Repeat("01", 110) + " 0604 …",
	},
	{
		"long name beyond one octet", "1.3" + strings.Repeat(".1", 126), Integer, "01",
		"30820084 06 7f 2b" + strings.Repeat("01", 126) + " 0201 …",
	},
}

func TestVarbind(t *testing.T) {
	for _, tt := range varbinds {
		oid, err := ParseOID(tt.oid)
		if err != nil {
			t.Fatal(err)
		}
		value := unhex(t, tt.value)
		want := unhex(t, strings.Replace(tt.want, "…", tt.value, 1))
		got := AppendVarbind(nil, AppendOID(nil, oid), len(oid), tt.tag, value)
		if !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", tt.name, got, want)
		}
		vb, err := ParseVarbind(want)
		if err != nil || vb.OID.String() != tt.oid || vb.Tag != tt.tag || !bytes.Equal(vb.Value, value) {
			t.Errorf("%s: ParseVarbind = %v, %v", tt.name, vb, err)
		}
	}
}

func TestParseVarbindForms(t *testing.T) {
	for _, h := range []string{
		"300c 0607 2b068fffffff7f 0201 05",
		"30810c 0607 2b068fffffff7f 0201 05",
		"3082000f 06820007 2b068fffffff7f 028101 05",
		"3084 00000010 068300 0007 2b068fffffff7f 028101 05",
	} {
		vb, err := ParseVarbind(unhex(t, h))
		if err != nil || vb.OID.String() != "1.3.6.4294967295" || vb.Tag != Integer || !bytes.Equal(vb.Value, []byte{5}) {
			t.Errorf("%s: %v, %v", h, vb, err)
		}
	}
}

func TestParseVarbindErrors(t *testing.T) {
	for _, tt := range []struct{ hex, want string }{
		{"", "offset 0: 0 octets left"},
		{"30", "offset 0: 1 octets left"},
		{"3005", "offset 0: value of 5 octets, 0 are left"},
		{"3080 0603 2b0601 0500 0000", "offset 1: indefinite length"},
		{"3085 0100000000", "offset 1: length wider than 32 bits"},
		{"3082 00", "offset 1: length is cut off"},
		{"3084 ffffffff", "offset 0: value of 4294967295 octets"},
		{"3f0500", "offset 0: tag of several octets"},
		{"0403 616263", "offset 0: String where a Sequence"},
		{"3000", "offset 2: 0 octets left"},
		{"3003 020101", "offset 2: Integer where the varbind's ObjectID"},
		{"3002 0600", "ObjectID at offset 4: empty"},
		{"3005 0603 2b0681", "ObjectID at offset 4: offset 2: sub-identifier is cut off"},
		{"3005 0603 2b0601", "offset 7: 0 octets left"},
		{"3008 0603 2b0601 020501", "offset 7: value of 5 octets, 1 are left"},
		{"3009 0603 2b0601 020101 00", "offset 10: 1 octets after the varbind's value"},
		{"3008 0603 2b0601 020101 00", "offset 10: 1 octets after the varbind"},
	} {
		_, err := ParseVarbind(unhex(t, tt.hex))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.hex, err, tt.want)
		}
	}
}

func TestParseTLV(t *testing.T) {
	tag, value, n, err := ParseTLV(unhex(t, "0603 2b0601 01"))
	if err != nil || tag != ObjectID || n != 5 || !bytes.Equal(value, []byte{0x2b, 6, 1}) {
		t.Errorf("ParseTLV = %v %x %d %v", tag, value, n, err)
	}
	for _, size := range []int{0, 127, 128, 255, 256, 65535, 65536, 1 << 24} {
		b := AppendTLV(nil, Opaque, make([]byte, size))
		tag, value, n, err := ParseTLV(b)
		if err != nil || tag != Opaque || len(value) != size || n != len(b) || n != 1+lengthSize(size)+size {
			t.Errorf("%d octets: %v, %d, %d, %v", size, tag, len(value), n, err)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	oid := OID{1, 3, 6, 1, 4, 1, 4491, 2, 1, 4294967295}
	contents := AppendOID(nil, oid)
	value := make([]byte, 300)
	buf := make([]byte, 0, 1024)
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"AppendOID", func() { AppendOID(buf, oid) }},
		{"AppendInt", func() { AppendInt(buf, -129) }},
		{"AppendUint", func() { AppendUint(buf, 1<<64-1) }},
		{"AppendTLV", func() { AppendTLV(buf, OctetString, value) }},
		{"AppendVarbind short", func() { AppendVarbind(buf, contents, len(oid), Integer, value[:1]) }},
		{"AppendVarbind long", func() { AppendVarbind(buf, contents, len(oid), OctetString, value) }},
		{"OID.AppendText", func() { oid.AppendText(buf) }},
		{"ParseTLV", func() { _, _, _, _ = ParseTLV(contents) }},
	} {
		if n := testing.AllocsPerRun(1000, tt.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}

func FuzzOID(f *testing.F) {
	for _, tt := range oids {
		f.Add(unhex(f, tt.hex))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		oid, err := DecodeOID(b)
		if err != nil {
			return
		}
		if err := oid.Check(); err != nil {
			t.Fatalf("%x decodes to %v: %v", b, oid, err)
		}
		if again := AppendOID(nil, oid); !bytes.Equal(again, b) {
			t.Fatalf("%x decodes to %v, which encodes to %x", b, oid, again)
		}
		if text, err := ParseOID(oid.String()); err != nil || text.String() != oid.String() {
			t.Fatalf("%v parses to %v, %v", oid, text, err)
		}
	})
}

func FuzzVarbind(f *testing.F) {
	for _, tt := range varbinds {
		f.Add(unhex(f, strings.Replace(tt.want, "…", tt.value, 1)))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		vb, err := ParseVarbind(b)
		if err != nil {
			return
		}
		own := AppendVarbind(nil, AppendOID(nil, vb.OID), len(vb.OID), vb.Tag, vb.Value)
		again, err := ParseVarbind(own)
		if err != nil {
			t.Fatalf("%x: %v", own, err)
		}
		if again.OID.String() != vb.OID.String() || again.Tag != vb.Tag || !bytes.Equal(again.Value, vb.Value) {
			t.Fatalf("%x gives %v, then %v", b, vb, again)
		}
	})
}

func BenchmarkAppendVarbind(b *testing.B) {
	oid := OID{1, 3, 6, 1, 2, 1, 69, 1, 6, 4, 1, 2, 1}
	contents := AppendOID(nil, oid)
	buf := make([]byte, 0, 64)
	value := []byte{4}
	b.ReportAllocs()
	for b.Loop() {
		AppendVarbind(buf, contents, len(oid), Integer, value)
	}
}
