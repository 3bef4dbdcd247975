package httpboot

import (
	"context"
	"encoding/csv"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"testing"

	"dcs/fastpath/source"
)

// What a proxy may tell is what testdata/sources.csv says.
func TestSourcesAsTheTableSays(t *testing.T) {
	f, err := os.Open("../../../testdata/sources.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := csv.NewReader(f)
	r.Comment = '#'
	rows, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	proxy := netip.MustParsePrefix("10.9.0.1/32")
	host := source.NewHost([]netip.Prefix{netip.MustParsePrefix("10.1.0.1/16"), netip.MustParsePrefix("192.0.2.129/25"), netip.MustParsePrefix("fd00:1::1/64")})
	s := &Server{cfg: Config{Proxies: []netip.Prefix{proxy}, Host: func() *source.Host { return host }}}
	seen := 0
	for _, row := range rows[1:] {
		if !strings.Contains(row[6], "http") {
			continue
		}
		seen++
		told, to := netip.MustParseAddrPort(row[1]).Addr(), netip.MustParseAddrPort(row[2])
		ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(to)))
		req := (&http.Request{RemoteAddr: "10.9.0.1:4711", Header: http.Header{"X-Forwarded-For": {told.String()}}}).WithContext(ctx)
		got, err := s.client(req, serverAddr(req))
		if (err != nil) != (row[5] == "silence") || err == nil && got != told {
			t.Errorf("%s: %v, %v; want %s", row[0], got, err, row[5])
		}
	}
	if seen < 30 {
		t.Errorf("only %d cases", seen)
	}
}
