package device

import (
	"encoding/json"
	"testing"
)

func TestParseMAC(t *testing.T) {
	want := MAC{0x0a, 1, 2, 3, 0xf4, 0xFF}
	for _, tc := range []struct {
		text string
		ok   bool
	}{
		{"0a010203f4ff", true},
		{"0A010203F4FF", true},
		{"0a:01:02:03:f4:ff", true},
		{"0a-01-02-03-f4-ff", true},
		{"0a.01.02.03.f4.ff", true},
		{"0a01.0203.f4ff", true},
		{"", false},
		{"0a010203f4f", false},
		{"0a010203f4fff", false},
		{"0a:01:02:03:f4-ff", false},
		{"0a:01:02:03:f4:fg", false},
		{":0a:01:02:03:f4:f", false},
		{"0a01:0203:f4ff", false},
		{"0a010203f4f ", false},
		{"0a:01:02:03:f4:ff:", false},
		{"0a::1:02:03:f4:ff", false},
		{"0a01.0203-f4ff", false},
		{"0a 01 02 03 f4 ff", false},
		// dhcpd's binary-to-ascii (16, 8, ":", …) writes no leading zeros.
		{"a:1:2:3:f4:ff", true},
		{"A-1-2-3-F4-FF", true},
		{"0a:1:2:3:f4:ff", true},
		{"a.1.2.3.f4.ff", false},
		{"a:1:2:3:f4", false},
		{"a:1:2:3:f4:ff:", false},
		{":a:1:2:3:f4:ff", false},
		{"a::2:3:f4:ff", false},
		{"a:1:2:3:f4:ff:0", false},
		{"a:1:2:3:0f4:ff", false},
		{"a:1-2:3-f4:ff", false},
		{"a:1:2:3:f4:fg", false},
		{"a:1:2:3:f4f:f", false},
	} {
		m, err := ParseMAC(tc.text)
		switch {
		case tc.ok && (err != nil || m != want):
			t.Errorf("ParseMAC(%q) = %v, %v", tc.text, m, err)
		case !tc.ok && (err != ErrNotMAC || !m.IsZero()):
			t.Errorf("ParseMAC(%q) = %v, %v; want %v", tc.text, m, err, ErrNotMAC)
		}
		if m, ok := ParseEUI48([]byte(tc.text)); ok != tc.ok || ok && m != want {
			t.Errorf("ParseEUI48(%q) = %x, %v", tc.text, m, ok)
		}
	}
}

// Zeros are octets, but name no device.
func TestZeroMAC(t *testing.T) {
	for _, text := range []string{"000000000000", "00:00:00:00:00:00", "00-00-00-00-00-00", "0000.0000.0000", "0:0:0:0:0:0"} {
		if m, err := ParseMAC(text); err != ErrZeroMAC || !m.IsZero() {
			t.Errorf("ParseMAC(%q) = %v, %v; want %v", text, m, err, ErrZeroMAC)
		}
		if m, ok := ParseEUI48(text); !ok || m != [6]byte{} {
			t.Errorf("ParseEUI48(%q) = %x, %v", text, m, ok)
		}
	}
}

func TestMACText(t *testing.T) {
	for _, tc := range []struct {
		mac  MAC
		text string
		json string
	}{
		{MAC{}, "", `{}`},
		{MAC{0x0a, 1, 2, 3, 0xf4, 0xff}, "0a:01:02:03:f4:ff", `{"m":"0a:01:02:03:f4:ff"}`},
		{MAC{0, 0, 0, 0, 0, 1}, "00:00:00:00:00:01", `{"m":"00:00:00:00:00:01"}`},
	} {
		if got := tc.mac.String(); got != tc.text {
			t.Errorf("String of %x = %q", [6]byte(tc.mac), got)
		}
		got, err := json.Marshal(struct {
			M MAC `json:"m,omitzero"`
		}{tc.mac})
		if err != nil || string(got) != tc.json {
			t.Errorf("JSON of %x = %s, %v", [6]byte(tc.mac), got, err)
		}
		if first := (MAC{}).Or(tc.mac); first != tc.mac {
			t.Errorf("Or(%v) = %v", tc.mac, first)
		}
		if first := tc.mac.Or(MAC{1}); first.IsZero() || !tc.mac.IsZero() && first != tc.mac {
			t.Errorf("%v.Or = %v", tc.mac, first)
		}
	}
}

func TestNoAllocs(t *testing.T) {
	dst, text := make([]byte, 0, 32), []byte("0a:01:02:03:f4:ff")
	for name, f := range map[string]func(){
		"parse":  func() { _, _ = ParseMAC(text) },
		"zero":   func() { _, _ = ParseMAC("000000000000") },
		"bad":    func() { _, _ = ParseMAC("gold.cm") },
		"append": func() { MAC{1}.AppendTo(dst) },
	} {
		if n := testing.AllocsPerRun(100, f); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
