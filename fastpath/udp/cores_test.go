package udp

import (
	"net"
	"net/netip"
	"reflect"
	"testing"
	"time"

	reach "dcs/bench/shared"
	"dcs/fastpath/packet"
	"dcs/fastpath/tid"
)

// A worker that receives and sends writes nothing that another one reaches, nor on a cache line with that.
func TestCores(t *testing.T) {
	ts, err := Open(Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:0")}, Key: tid.NewKey(), Tick: time.Millisecond}, 2)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range ts {
		defer x.Close()
	}
	var in, out [2][]packet.Packet
	for i := range ts {
		in[i], out[i] = packet.NewSlab(16, 0, 2048), packet.NewSlab(16, packet.Headroom, 516)
	}
	serve := func(worker int) {
		x, batch, out := ts[worker], in[worker], out[worker]
		for served := 0; served < 50; { // requests that reach the other worker wait there
			client, err := net.Dial("udp", x.Addrs()[0].String())
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if _, err := client.Write([]byte("\x00\x01x\x00octet\x00")); err != nil {
				t.Fatal(err)
			}
			n, err := x.Recv(batch)
			if err != nil {
				t.Fatal(err)
			}
			for i := range n {
				out[i].Reset()
				out[i].Data = append(out[i].Data, 0, 3, 0, 1)
				out[i].Peer, out[i].Local = batch[i].Peer, netip.AddrPortFrom(batch[i].Local.Addr(), batch[i].TID)
			}
			if err := x.Send(out[:n]); err != nil {
				t.Fatal(err)
			}
			served += n
		}
	}
	serve(1)
	serve(0)
	w := reach.Begin(reach.Of(reflect.ValueOf(ts[0])), reach.Of(reflect.ValueOf(ts[1])))
	serve(0)
	for _, name := range w.Written() {
		t.Errorf("a worker has written %s, which shares a cache line with what another one reaches", name)
	}
}
