package fastpath

import (
	"encoding/csv"
	"net/netip"
	"os"
	"strings"
	"testing"

	"dcs/fastpath/guard"
	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/tftp"
)

// A sourceCase is a row of testdata/sources.csv.
type sourceCase struct {
	name     string
	from, to netip.AddrPort
	wire     bool // it comes from another host
	silence  bool
}

// sourceCases reads the rows that sockets see.
func sourceCases(t *testing.T) (cases []sourceCase) {
	t.Helper()
	f, err := os.Open("../testdata/sources.csv")
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
	for _, row := range rows[1:] {
		if strings.Contains(row[6], "sockets") {
			cases = append(cases, sourceCase{row[0], netip.MustParseAddrPort(row[1]), netip.MustParseAddrPort(row[2]), row[3] == "wire", row[5] == "silence"})
		}
	}
	if len(cases) < 40 {
		t.Fatalf("%d cases", len(cases))
	}
	return cases
}

// What a guard and a worker answer is what the table says.
func TestSourcesAsTheTableSays(t *testing.T) {
	g := guard.New(0)
	var own []netip.Prefix
	for _, p := range []string{"10.1.0.1/16", "192.0.2.129/25", "fd00:1::1/64", "127.0.0.1/8", "::1/128"} {
		own = append(own, netip.MustParsePrefix(p))
	}
	g.SetHost(source.NewHost(own))
	r := newRig(Config{})
	for i, c := range sourceCases(t) {
		for op, data := range [][]byte{rrq("static", tftp.Options{}), tftp.AppendACK(nil, 1), tftp.AppendDATA(nil, 1, []byte("x"))} {
			from := c.from
			if from.Port() == 2070 { // a port of its own for each, or some would be the same request again
				from = netip.AddrPortFrom(from.Addr(), uint16(20_000+10*i+op))
			}
			p := toServer(from, data)
			p.Local, p.Wire = c.to, c.wire && from.Addr().Is6()
			batch := []packet.Packet{p}
			before := r.Stats().Events[Spoofed]
			g.Judge(r.now, batch)
			sent := r.give(batch...)
			spoofed := r.Stats().Events[Spoofed] > before
			if spoofed != c.silence || op == 0 && (len(sent) == 0) != c.silence {
				t.Errorf("%s, opcode %d: sent %s, counted as spoofed %v", c.name, tftp.Opcode(data), opcodes(sent), spoofed)
			}
		}
	}
}
