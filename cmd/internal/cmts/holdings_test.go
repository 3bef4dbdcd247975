package cmts

import "testing"

// The examples are published ones.
func TestType7(t *testing.T) {
	for _, tt := range []struct {
		in, want string
		ok       bool
	}{
		{"02050D480809", "cisco", true},
		{"094F471A1A0A", "cisco", true},
		{"0", "", false},
		{"xx0D480809", "", false},
		{"02050D48080", "", false},
		{"0280808080", "", false},
	} {
		if got, ok := decodeType7(tt.in); ok != tt.ok || ok && got != tt.want {
			t.Errorf("%s: %q, %v", tt.in, got, ok)
		}
	}
}
