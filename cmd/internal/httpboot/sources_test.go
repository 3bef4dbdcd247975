package httpboot

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"testing"

	"dcs/fastpath/source"
	"dcs/testdata"
)

// What a proxy may tell is what testdata/sources.csv says.
func TestSourcesAsTheTableSays(t *testing.T) {
	proxy := netip.MustParsePrefix("10.9.0.1/32")
	host := source.NewHost(testdata.Host())
	s := &Server{cfg: Config{Proxies: []netip.Prefix{proxy}, Host: func() *source.Host { return host }}}
	cases := testdata.Sources(t, "http")
	for _, c := range cases {
		told := c.From.Addr()
		ctx := context.WithValue(t.Context(), http.LocalAddrContextKey, net.Addr(net.TCPAddrFromAddrPort(c.To)))
		req := (&http.Request{RemoteAddr: "10.9.0.1:4711", Header: http.Header{"X-Forwarded-For": {told.String()}}}).WithContext(ctx)
		got, err := s.client(req, serverAddr(req))
		if (err != nil) != c.Silence || err == nil && got != told {
			t.Errorf("%s: %v, %v; silence is right: %v", c.Name, got, err, c.Silence)
		}
	}
	if len(cases) < 30 {
		t.Errorf("only %d cases", len(cases))
	}
}
