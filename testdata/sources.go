// Package testdata reads the tables that tests of several packages share.
package testdata

import (
	_ "embed"
	"encoding/csv"
	"encoding/hex"
	"net/netip"
	"slices"
	"strings"
	"testing"
)

// A Source is a row of sources.csv: a packet, and whether it is answered.
type Source struct {
	Name     string
	From, To netip.AddrPort
	Wire     bool   // from another host
	Options  []byte // of the IPv4 header
	Silence  bool   // it must not be answered
}

//go:embed sources.csv
var sources string

// Sources returns the cases for one place, "xdp", "sockets" or "http"; empty: all.
func Sources(t testing.TB, seen string) (cases []Source) {
	t.Helper()
	r := csv.NewReader(strings.NewReader(sources))
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows[1:] {
		if seen != "" && !slices.Contains(strings.Fields(row[6]), seen) {
			continue
		}
		options, err := hex.DecodeString(row[4])
		if err != nil {
			t.Fatalf("sources.csv, %s: %v", row[0], err)
		}
		cases = append(cases, Source{
			Name: row[0], From: netip.MustParseAddrPort(row[1]), To: netip.MustParseAddrPort(row[2]),
			Wire: row[3] == "wire", Options: options, Silence: row[5] == "silence",
		})
	}
	return cases
}

// Host returns the host's addresses in the cases, with the prefix lengths of their subnets.
func Host() (own []netip.Prefix) {
	for _, p := range [...]string{"10.1.0.1/16", "192.0.2.129/25", "fd00:1::1/64", "127.0.0.1/8", "::1/128"} {
		own = append(own, netip.MustParsePrefix(p))
	}
	return own
}
