package tlv

import (
	"bytes"
	"strings"
	"testing"

	"dcs/render/ber/mib"
)

// Documents by hand, with the octets by the specifications.
func TestReadJSON(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`{"tlvs": []}`, ""},
		{`{"dialect": "cm", "tlvs": [{"name": "NetworkAccess", "value": 1}, {"code": 18, "hex": "05"}], "tail": "00"}`, "030101 120105 00"},
		{`{"tlvs": [{"name": "usserviceflow", "children": [{"code": 1, "value": 1}, {"name": "ServiceClassName", "value": "gold"}]}]}`, "180b 01020001 0405676f6c6400"},
		{`{"tlvs": [{"name": "SubscriberManagementCPEIPTable", "value": ["10.0.0.1", "10.0.0.2"]}, {"code": 14, "value": "00:11:22:aa:bb:cc"}]}`, "24080a0000010a000002 0e06001122aabbcc"},
		{`{"tlvs": [{"code": 10, "value": [".1.3.6.1", 1]}, {"code": 200, "hex": "01FF"}, {"code": 103, "children": []}, {"code": 255}]}`, "0a0606032b060101 c80201ff 670000 ff"},
		{`{"tlvs": [{"code": 11, "value": {"name": "docsDevFilterIpStatus.1", "type": "Integer", "label": "createAndGo"}}]}`, "0b13 3011 060c2b0601020145010604010201020104"},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.4.1.4491.1.1", "type": "String", "hex": "0a00"}}]}`, "0b11 300f 06092b06010401a30b0101 04020a00"},
		{`{"tlvs": [{"code": 43, "children": [{"name": "VendorIdentifier", "hex": "00407b"}, {"code": 5, "hex": "0102"}]}]}`, "2b09 080300407b 05020102"},
		{`{"tlvs": [{"code": 43, "children": [{"code": 8, "hex": "ffffff"}, {"name": "CMLoadBalancingGroupID", "value": 7}]}]}`, "2b0b 0803ffffff 030400000007"},
		{`{"dialect": "mta", "tlvs": [{"code": 254, "value": 1}, {"code": 254, "value": 255}]}`, "fe0101 fe01ff"},
	} {
		got, _, err := ReadJSON([]byte(tt.doc), mib.Default(), nil)
		if err != nil || !bytes.Equal(got, unhex(t, tt.want)) {
			t.Errorf("%s: %x, %v, want %s", tt.doc, got, err, tt.want)
		}
	}
}

func TestReadJSONErrors(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`[]`, "expected an object with the keys dialect, tlvs"},
		{`{}`, "tlvs: missing"},
		{`{"tlvs": 1}`, "tlvs: expected an array"},
		{`{"tlvs": [], "x": 1}`, `unknown key "x"`},
		{`{"tlvs": [], "dialect": "router"}`, "dialect: expected cm"},
		{`{"tlvs": [], "tail": "0"}`, "tail: expected a string of hexadecimal digits"},
		{`{"tlvs": [], "error": {"offset": 3, "text": "x"}}`, "error: the file was broken off"},
		{`{"tlvs": [{}]}`, "tlvs[0]: missing code or name"},
		{`{"tlvs": [{"code": 3}]}`, "tlvs[0]: missing hex, value or children"},
		{`{"tlvs": [{"code": 256, "hex": ""}]}`, "tlvs[0].code: expected a number from 0 to 255"},
		{`{"tlvs": [{"name": "NetworkAcces", "value": 1}]}`, "tlvs[0].name: unknown keyword NetworkAcces; did you mean NetworkAccess?"},
		{`{"tlvs": [{"name": "NetworkAccess", "code": 4, "value": 1}]}`, "tlvs[0].code: 4 is not the code of NetworkAccess, which is 3"},
		{`{"tlvs": [{"code": 3, "hex": "01", "value": 0}]}`, "tlvs[0].value: hex says otherwise"},
		{`{"tlvs": [{"code": 3, "value": 5}]}`, "tlvs[0].value: 5 is out of range, 0 to 1"},
		{`{"tlvs": [{"code": 3, "value": true}]}`, "tlvs[0].value: expected a number, a string"},
		{`{"tlvs": [{"code": 3, "hex": "01", "values": 0}]}`, `tlvs[0]: unknown key "values"`},
		{`{"tlvs": [{"code": 255, "hex": ""}]}`, "tlvs[0].hex: EndOfData has no value"},
		{`{"tlvs": [{"code": 24, "hex": "", "children": []}]}`, "tlvs[0]: either children"},
		{`{"tlvs": [{"code": 24, "children": [{"code": 1, "value": 1}, {"code": 6, "value": 300}]}]}`, "tlvs[0].children[1].value: 300 does not fit"},
		{`{"tlvs": [{"code": 200, "hex": "` + strings.Repeat("00", 256) + `"}]}`, "tlvs[0]: 256 octets do not fit"},
		{`{"tlvs": [{"code": 43, "children": [{"code": 8, "hex": "00407b"}, {"name": "CMLoadBalancingGroupID", "value": 1}]}]}`, "tlvs[0].children[1].name: no keywords"},
		{`{"tlvs": [{"code": 32, "value": "cert.der"}]}`, "tlvs[0].value: no files can be read here"},
		{`{"tlvs": [{"code": 6, "value": "0x00"}]}`, "tlvs[0].value: added by the compiler"},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.2.1.69.1.6.4.1.2.1", "type": "Integer", "value": 5, "label": "createAndGo"}}]}`, "tlvs[0].value.label: createAndGo is not the label of value"},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.2.1.69.1.6.4.1.2.1", "type": "Integer", "value": 5, "hex": "04"}}]}`, "tlvs[0].value.value: hex says otherwise"},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.3", "name": "sysContact.0", "type": "Integer", "value": 5}}]}`, "tlvs[0].value.name: sysContact.0 is not the object of oid"},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.3", "type": "Text", "value": 5}}]}`, "tlvs[0].value: expected a type"},
		{`{"tlvs": ` + strings.Repeat(`[{"code": 200, "children": `, 20) + "[]" + strings.Repeat("}]", 20) + "}", "TLVs nest deeper than 16 levels"},
	} {
		_, _, err := ReadJSON([]byte(tt.doc), mib.Default(), nil)
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", tt.doc, err, tt.want)
		}
	}
}

// What compiling a text warns of, compiling a document does, once and with the path.
func TestReadJSONWarns(t *testing.T) {
	for _, tt := range []struct{ doc, want string }{
		{`{"tlvs": [{"code": 3, "value": 1}]}`, ""},
		{`{"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.2.1.2.2.1.7.1", "type": "Integer", "value": 9}}]}`, "tlvs[0].value: SnmpMibObject: ifAdminStatus: 9 is not one of"},
		{`{"tlvs": [{"code": 3, "hex": "01"}, {"code": 11, "value": {"name": "docsPnmCmDsHistFileName.1", "type": "String", "value": "x"}}]}`, "tlvs[1].value: SnmpMibObject: docsPnmCmDsHistFileName is that of an older edition"},
	} {
		var got []string
		if _, _, err := ReadJSON([]byte(tt.doc), mib.Default(), func(msg string) { got = append(got, msg) }); err != nil {
			t.Errorf("%s: %v", tt.doc, err)
		}
		if tt.want == "" && got != nil || tt.want != "" && (len(got) != 1 || !strings.HasPrefix(got[0], tt.want)) {
			t.Errorf("%s: %q, want %s", tt.doc, got, tt.want)
		}
	}
}

// No document may do harm, and what one makes is what its own document makes.
func FuzzReadJSON(f *testing.F) {
	for _, tt := range printed {
		tree, _ := DecodeAs(tt.dialect, unhex(f, tt.file))
		doc, err := tree.JSON(mib.Default())
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(doc))
	}
	f.Fuzz(func(t *testing.T, doc string) {
		if len(doc) > 4000 {
			return
		}
		file, dialect, err := ReadJSON([]byte(doc), mib.Default(), func(string) {})
		if err != nil {
			return
		}
		tree, err := DecodeAs(dialect, file)
		if err != nil {
			return // tail may be anything
		}
		readsBack(t, tree, file)
	})
}

// readsBack checks that a tree's document gives the file.
func readsBack(t *testing.T, tree *Tree, file []byte) {
	t.Helper()
	for _, m := range []*mib.Index{nil, mib.Default()} {
		doc, err := tree.JSON(m)
		if err != nil {
			t.Fatal(err)
		}
		got, dialect, err := ReadJSON(doc, mib.Default(), nil)
		if tree.Err == nil && (err != nil || dialect != tree.Dialect || !bytes.Equal(got, file)) {
			t.Errorf("%x as JSON is\n%s\nwhich is %v %x, %v", file, doc, dialect, got, err)
		}
		if tree.Err != nil && err == nil {
			t.Errorf("%x is broken off, but its document is taken:\n%s", file, doc)
		}
	}
}
