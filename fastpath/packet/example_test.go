package packet_test

import (
	"fmt"
	"net/netip"

	"dcs/fastpath/packet"
)

// Packets are written in place and sent in batches.
func ExampleQueue() {
	send := func(batch []packet.Packet) {
		for i := range batch {
			fmt.Printf("%q to %v\n", batch[i].Data, batch[i].Peer)
		}
		fmt.Println("batch sent")
	}
	q := packet.NewQueue(packet.NewSlab(2, packet.Headroom, 516), send)
	for port := range uint16(3) {
		p := q.Next()
		p.Peer = netip.AddrPortFrom(netip.MustParseAddr("198.18.0.1"), 1024+port)
		p.Data = append(p.Data, 0, 4, 0, byte(port))
	}
	q.Flush()
	// Output:
	// "\x00\x04\x00\x00" to 198.18.0.1:1024
	// "\x00\x04\x00\x01" to 198.18.0.1:1025
	// batch sent
	// "\x00\x04\x00\x02" to 198.18.0.1:1026
	// batch sent
}
