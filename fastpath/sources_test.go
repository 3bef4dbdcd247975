package fastpath

import (
	"net/netip"
	"testing"

	"dcs/fastpath/guard"
	"dcs/fastpath/packet"
	"dcs/fastpath/source"
	"dcs/fastpath/tftp"
	"dcs/testdata"
)

// The guard and a worker answer as the table says.
func TestSourcesAsTheTableSays(t *testing.T) {
	g := guard.New(0)
	g.SetHost(source.NewHost(testdata.Host()))
	r := newRig(Config{})
	cases := testdata.Sources(t, "sockets")
	if len(cases) < 40 {
		t.Errorf("only %d cases", len(cases))
	}
	for i, c := range cases {
		for op, data := range [][]byte{rrq("static", tftp.Options{}), tftp.AppendACK(nil, 1), tftp.AppendDATA(nil, 1, []byte("x"))} {
			from := c.From
			if from.Port() == 2070 { // a port of its own for each, or some would be the same request again
				from = netip.AddrPortFrom(from.Addr(), uint16(20_000+10*i+op))
			}
			p := toServer(from, data)
			p.Local, p.Wire = c.To, c.Wire && from.Addr().Is6()
			batch := []packet.Packet{p}
			before := r.Stats().Events[Spoofed]
			g.Judge(r.now, batch, nil)
			sent := r.give(batch...)
			spoofed := r.Stats().Events[Spoofed] > before
			if spoofed != c.Silence || op == 0 && (len(sent) == 0) != c.Silence {
				t.Errorf("%s, opcode %d: sent %s, counted as spoofed %v", c.Name, tftp.Opcode(data), opcodes(sent), spoofed)
			}
		}
	}
}
