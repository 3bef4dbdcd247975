package config

import (
	"fmt"
	"testing"
)

// The values are those of IANA's registry of DSCPs.
func TestParseDSCP(t *testing.T) {
	for text, want := range map[string]uint8{
		"": 0, "0": 0, "1": 1, "63": 63, "df": 0, "be": 0, "le": 1, "va": 44, "ef": 46, "EF": 46,
		"cs0": 0, "cs1": 8, "cs2": 16, "cs3": 24, "cs4": 32, "cs5": 40, "cs6": 48, "CS7": 56,
		"af11": 10, "af12": 12, "af13": 14, "af21": 18, "af22": 20, "af23": 22, "af31": 26, "af32": 28, "af33": 30, "af41": 34, "af42": 36, "AF43": 38,
	} {
		if got, err := parseDSCP(text); err != nil || got != (DSCP{Value: want}) {
			t.Errorf("%q: %+v, %v; want %d", text, got, err, want)
		}
	}
	for v := range 64 {
		if got, err := parseDSCP(fmt.Sprint(v)); err != nil || got != (DSCP{Value: uint8(v)}) {
			t.Errorf("%d: %+v, %v", v, got, err)
		}
	}
	for _, text := range []string{"64", "184", "-1", "+1", "046", "0x2e", "4.5", "cs8", "cs", "cs10", "af10", "af14", "af51", "af1", "af411", "efx", " ef", "mirrored", "on"} {
		if got, err := parseDSCP(text); err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		}
	}
}
