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

func TestLegacy(t *testing.T) {
	for text, want := range map[string]bool{
		"": true, "Main { /* Z\xfcrich */ }\r\n": true, "Main { /* \x93quoted\x94 */ }": true, "\xe9t\xe9 \xe9t\xe9": false, "Main\x00": false, "\x03\x01\x01": false, "\x80\x81\x82": false,
	} {
		if got := Legacy([]byte(text)); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}
