package fastpath

import (
	"bytes"
	"encoding/binary"
	"net/netip"
	"testing"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// No reply is larger than what provoked it allows: an ERROR is smaller than any DATA, DATA keeps to the
// block size that was agreed. The fuzzer drives the whole worker with packets of its choice.
func FuzzWorker(f *testing.F) {
	frame := func(kind byte, peer byte, data []byte) []byte {
		b := []byte{kind, peer}
		b = binary.BigEndian.AppendUint16(b, uint16(len(data)))
		return append(b, data...)
	}
	f.Add(bytes.Join([][]byte{frame(0, 1, rrq("static", tftp.Options{})), frame(1, 1, tftp.AppendACK(nil, 1))}, nil))
	f.Add(bytes.Join([][]byte{
		frame(0, 1, rrq("long", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 100, Windowsize: 9})),
		frame(1, 1, tftp.AppendACK(nil, 0)), frame(1, 1, tftp.AppendACK(nil, 4)), frame(3, 90, nil), frame(1, 1, tftp.AppendACK(nil, 9)), frame(1, 2, tftp.AppendACK(nil, 9)),
	}, nil))
	f.Add(bytes.Join([][]byte{
		frame(0, 1, []byte("\x00\x01long\x00netascii\x00blksize\x0010\x00")), frame(1, 1, tftp.AppendACK(nil, 0)), frame(1, 1, tftp.AppendACK(nil, 1)),
		frame(2, 1, tftp.AppendACK(nil, 1)), frame(3, 255, nil), frame(0, 1, rrq("dynamic", tftp.Options{Has: tftp.Timeout, Timeout: 1})),
	}, nil))
	f.Add(bytes.Join([][]byte{frame(2, 3, rrq("static", tftp.Options{Has: tftp.Tsize})), frame(2, 3, tftp.AppendACK(nil, 0)), frame(2, 3, tftp.AppendERROR(nil, 0, ""))}, nil))
	f.Fuzz(func(t *testing.T, script []byte) {
		const places = 3
		r := newRig(Config{Batch: 8, Transfer: transfer.Config{Transfers: places, Memory: 1 << 16, Retries: 2}})
		r.renderer.(files)["long"] = bytes.Repeat([]byte("a\nb\rc"), 100)
		granted := map[netip.AddrPort]int{} // largest block size that a client has asked for
		var batch []packet.Packet
		flush := func() {
			for _, p := range r.give(batch...) {
				switch op := tftp.Opcode(p.Data); op {
				case tftp.OpDATA:
					if n := len(p.Data) - tftp.DataHeader; n > max(granted[p.Peer], tftp.DefaultBlksize) {
						t.Fatalf("block of %d octets, %d agreed", n, granted[p.Peer])
					}
				case tftp.OpERROR, tftp.OpOACK:
					if len(p.Data) > 128 {
						t.Fatalf("%q", p.Data)
					}
				default:
					t.Fatalf("opcode %d", op)
				}
				if !p.Peer.IsValid() || p.Local.Addr() != server || p.Local.Port() != tid && p.Local.Port() != port {
					t.Fatalf("from %v to %v", p.Local, p.Peer)
				}
			}
			if n := r.table.Active(); n > places || uint64(n) != r.Stats().Active {
				t.Fatalf("%d transfers", n)
			}
			batch = batch[:0]
		}
		for len(script) >= 4 {
			kind, who := script[0], script[1]
			n := min(int(binary.BigEndian.Uint16(script[2:])), len(script)-4)
			data := script[4 : 4+n]
			script = script[4+n:]
			if kind%4 == 3 {
				flush()
				r.now += int64(who) * 50e6
				continue
			}
			p := toServer(modem(int(who)%6), data)
			switch kind % 4 {
			case 1:
				p = toTransfer(p.Peer, data)
			case 2:
				p.TID = port // single port
			}
			p.Flags = packet.Flags(kind >> 6)
			if kind&0x20 != 0 {
				p.Time = r.now - int64(kind)*1e8
			}
			var rq tftp.Request
			if tftp.ParseRequest(data, &rq) == nil {
				granted[p.Peer] = max(granted[p.Peer], rq.Blksize)
			}
			if batch = append(batch, p); len(batch) == 8 {
				flush()
			}
		}
		flush()
		// All come to an end without further packets, and all memory is given back.
		for range 1000 {
			r.now += 1e9
			r.give()
		}
		if n := r.table.Active(); n != 0 {
			t.Fatalf("%d transfers never end", n)
		}
		for i := range places {
			r.give(toServer(modem(100+i), rrq("dynamic", tftp.Options{Has: tftp.Tsize})))
		}
		if n := r.table.Active(); n != places {
			t.Fatalf("%d of %d places left", n, places)
		}
	})
}
