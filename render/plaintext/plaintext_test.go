package plaintext

import "testing"

func TestIs(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "Main {\r\n\tNetworkAccess 1;\n}\n": true, "é": true,
		"\x03\x01\x01": false, "Main\x00": false, "\xe9": false, "\x1a": false,
	} {
		if got := Is([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
