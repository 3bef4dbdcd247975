package device

import "testing"

func TestParseMAC(t *testing.T) {
	want := [6]byte{0x0a, 1, 2, 3, 0xf4, 0xFF}
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
		m, ok := ParseMAC(tc.text)
		if ok != tc.ok || ok && m != want {
			t.Errorf("ParseMAC(%q) = %x, %v", tc.text, m, ok)
		}
		if _, ok := ParseMAC([]byte(tc.text)); ok != tc.ok {
			t.Errorf("ParseMAC of octets %q: %v", tc.text, ok)
		}
	}
}
