package render

import (
	"bytes"
	"fmt"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/mic"
)

// A certificate of 300 octets from a device's attribute, from a default or written out is the same TLVs 32: in
// fragments of 254 octets, as the open encoder makes them.
func TestLongHexVariable(t *testing.T) {
	cvc := make([]byte, 300)
	for i := range cvc {
		cvc[i] = byte(i*7 + 1)
	}
	want := append([]byte{32, 254}, cvc[:254]...)
	want = append(append(want, 32, 46), cvc[254:]...)
	mac := [6]byte{2, 0, 0, 0, 0, 1}
	e, err := NewEngine(Config{
		Library: library.Config{MIB: mib.Default(), Dirs: []string{writeLibrary(t, map[string]string{
			"attribute.dcs": `Main { MfgCVCData $name; }`,
			"default.dcs":   fmt.Sprintf(`Main { default cvc 0x%x; MfgCVCData $cvc; }`, cvc),
			"literal.dcs":   fmt.Sprintf(`Main { MfgCVCData 0x%x; }`, cvc),
		})}},
		Keyring: mic.KeyringOf(mic.NewSecret([]byte("DOCSIS"))),
		Devices: fleet{mac: attr.Record{"", "", fmt.Sprintf("0x%x", cvc)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"attribute", "default", "literal"} {
		r := []Request{request(name)}
		r[0].MAC = mac
		e.Worker().RenderBatch(now, r)
		// The CM MIC, TLV 6, follows the template's own TLVs.
		if r[0].Err != nil || !bytes.HasPrefix(r[0].Body, append(want[:len(want):len(want)], 6, 16)) {
			t.Errorf("%s: %x, %v\nwant %x", name, r[0].Body, r[0].Err, want)
		}
	}
}
