package tlv

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"dcs/render/ber/mib"
)

// TestKinds holds every row of the table of kinds to a sample: a TLV of the kind, a value
// as the language writes it, the value's octets by the specifications, and what JSON has.
func TestKinds(t *testing.T) {
	const contact = "300d06082b06010201010400040178" // sysContact.0 = "x" in BER
	const prefix = "20010db8" + "000000000000000000000000"
	samples := map[Kind]struct{ path, text, hex, json string }{
		KindUint8:           {"3", "1", "01", "1"},
		KindUint16:          {"4.6", "512", "0200", "512"},
		KindUint24:          {"43.5.26", "66051", "010203", "66051"},
		KindUint32:          {"4.2", "5000000", "004c4b40", "5000000"},
		KindInt8:            {"46.8.4", "-4", "fc", "-4"},
		KindInt32:           {"46.8.2", "-2", "fffffffe", "-2"},
		KindBytes:           {"5.16", "0x01020304", "01020304", "null"},
		KindBytesLen16:      {"103.3.1", "0xaabb", "aabb", "null"},
		KindString:          {"9", `"fw.bin"`, "66772e62696e", `"fw.bin"`},
		KindZString:         {"24.4", `"gold"`, "676f6c6400", `"gold"`},
		KindIPv4:            {"20", "10.1.2.3", "0a010203", `"10.1.2.3"`},
		KindIPv6:            {"22.12.4", "2001:db8::1", prefix[:30] + "01", `"2001:db8::1"`},
		KindIPv4OrIPv6:      {"43.7.2.1", "10.0.0.1", "0a000001", `"10.0.0.1"`},
		KindTypedIP:         {"43.5.2.4.2", "10.0.0.1", "010a000001", `"10.0.0.1"`},
		KindIPPort:          {"53.2.1", "10.0.0.1/161", "0a00000100a1", `"10.0.0.1/161"`},
		KindMAC:             {"14", "00:11:22:33:44:55", "001122334455", `"00:11:22:33:44:55"`},
		KindMACMask:         {"22.10.1", "00:11:22:33:44:55/ff:ff:ff:00:00:00", "001122334455ffffff000000", `"00:11:22:33:44:55/ff:ff:ff:00:00:00"`},
		KindMACList:         {"50.4.3", "00:11:22:33:44:55,00:11:22:33:44:56", "001122334455001122334456", `["00:11:22:33:44:55","00:11:22:33:44:56"]`},
		KindIPv4List:        {"36", "10.0.0.1,10.0.0.2", "0a0000010a000002", `["10.0.0.1","10.0.0.2"]`},
		KindIPv6List:        {"67", "2001:db8::1", prefix[:30] + "01", `["2001:db8::1"]`},
		KindIPv6PrefixList:  {"61", "2001:db8::/32", prefix + "20", `["2001:db8::/32"]`},
		KindUint8List:       {"22.11.1", "1,5", "0105", "[1,5]"},
		KindUint16List:      {"5.82", "100,200", "006400c8", "[100,200]"},
		KindUint16Pair:      {"43.5.2.3", "1,2", "00010002", "[1,2]"},
		KindOID:             {"38.6", ".1.3.6.1", "06032b0601", `".1.3.6.1"`},
		KindVarbind:         {"11", `.1.3.6.1.2.1.1.4.0 String "x"`, contact, `{"oid":"1.3.6.1.2.1.1.4.0","type":"String","value":"x","hex":"78"}`},
		KindVarbindLen16:    {"ps:28", `.1.3.6.1.2.1.1.4.0 String "x"`, contact, `{"oid":"1.3.6.1.2.1.1.4.0","type":"String","value":"x","hex":"78"}`},
		KindWriteControl:    {"10", ".1.3.6.1 1", "06032b060101", `[".1.3.6.1",1]`},
		KindFlagEmpty:       {"43.5.2.1", "0x00", "", "null"},
		KindGroup:           {"4", "0x010101", "010101", "null"},
		KindGroupLen16:      {"103", "0xfa0100", "fa0100", "null"},
		KindVendorGroup:     {"24.43", "0x0803001122", "0803001122", "null"},
		KindCertFragments:   {"32", "0x3082", "3082", "null"},
		KindOpaqueFragments: {"201", "0x0102", "0102", "null"},
		KindDigest16:        {"6", "0x" + strings.Repeat("ab", 16), strings.Repeat("ab", 16), "null"},
		KindDigest20:        {"27", "0x" + strings.Repeat("ab", 20), strings.Repeat("ab", 20), "null"},
		KindMarker:          {"219.255", "0x00", "", "null"},
		KindRD:              {"43.5.21.2", "0x0000fc0000000064", "0000fc0000000064", "null"},
	}
	for kind := KindNone + 1; int(kind) < len(kinds); kind++ {
		sample, ok := samples[kind]
		if !ok || kinds[kind].name == "" || kinds[kind].codec == nil {
			t.Errorf("kind %d (%s) has no name, codec or sample", kind, kind)
			continue
		}
		t.Run(kind.String(), func(t *testing.T) {
			d, value := at(t, sample.path), unhex(t, sample.hex)
			if d.Kind != kind {
				t.Fatalf("the sample %s is of kind %s", sample.path, d.Kind)
			}
			if d.wants() == "" {
				t.Error("wants is empty")
			}
			enc := Encoder{}
			written, _ := (&reader{src: sample.text + ";"}).values()
			if got, err := enc.AppendValue(nil, d, FormPlain, written); err != nil || !bytes.Equal(got, value) {
				t.Errorf("append(%s) = %x, %v, want %x", sample.text, got, err, value)
			}
			if n, multiple := d.codec().width(); n > 0 && (len(value)%n != 0 || !multiple && len(value) != n) {
				t.Errorf("width is %d", n)
			}
			read, ok := d.codec().read(value)
			if !ok {
				t.Fatalf("read(%x) fails", value)
			}
			var text strings.Builder
			for i := range read {
				if i > 0 {
					text.WriteByte(' ')
				}
				read[i].format(&text)
			}
			if text.String() != sample.text {
				t.Errorf("read(%x) = %s, want %s", value, &text, sample.text)
			}

			raw, err := appendBody(nil, d, value)
			if err != nil {
				t.Fatal(err)
			}
			n, err := decodeTLV(d.Parent(), raw, 0, 0)
			if err != nil || n.Note != "" {
				t.Fatalf("decodeTLV(%x): %v, %s", raw, err, n.Note)
			}
			if got, err := json.Marshal(d.codec().json(n, nil)); err != nil || string(got) != sample.json {
				t.Errorf("json = %s, %v, want %s", got, err, sample.json)
			}
			if d.computed() != nil {
				return // printed as a comment
			}
			for _, names := range []*mib.Index{nil, mib.Default()} {
				p := printer{tree: &Tree{}, enc: Encoder{MIB: names}}
				d.codec().print(&p, n, d.Parent(), 0)
				text := p.w.String()
				got, err := (&reader{src: text, enc: &p.enc}).group(nil, d.Parent())
				if err != nil || !bytes.Equal(got, raw) || strings.Contains(text, "Generic") && kind != KindGroupLen16 {
					t.Errorf("print gives\n%swhich compiles to %x, %v, want %x", text, got, err, raw)
				}
			}
		})
	}
}
