package storm

import (
	"net/netip"
	"testing"
)

func TestNames(t *testing.T) {
	net := netip.MustParsePrefix("198.18.0.0/16")
	for template, want := range map[string]string{
		"gold.bin":      "gold.bin",
		"m{i}-{ip}.bin": "m258-198.18.1.2.bin",
		"f@{mac}":       "f@020000000102",
		"x{7-7}y":       "x7y",
		"{i}":           "258",
	} {
		n, err := parseNames(template, net, 1)
		if err != nil {
			t.Errorf("%s: %v", template, err)
			continue
		}
		if got := string(n.Append(nil, 258)); got != want {
			t.Errorf("%s: %s, want %s", template, got, want)
		}
	}
	for _, template := range []string{"", "a{", "a{x}", "{3-1}", "{-1}", "{}", "{1-99999999999}"} {
		if _, err := parseNames(template, net, 1); err == nil {
			t.Errorf("%q was accepted", template)
		}
	}
}

func TestDrawnNamesCoverTheirRangeAndStay(t *testing.T) {
	n, err := parseNames("isrrip{cpe}bw{tier}.bin", netip.MustParsePrefix("198.18.0.0/16"), 1)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for i := range 2000 {
		name := string(n.Append(nil, i))
		seen[name] = true
		if again := string(n.Append(nil, i)); again != name {
			t.Fatalf("modem %d asks for %s, then %s", i, name, again)
		}
	}
	if len(seen) != 16*3 {
		t.Errorf("%d names, want 48", len(seen))
	}
}
