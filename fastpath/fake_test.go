package fastpath

import (
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	secret "dcs/fastpath/tid"
)

// port is where the fake server listens, tid where its transfers answer from.
const (
	port = 69
	tid  = 40000
)

var server = netip.MustParseAddr("192.0.2.69")

var key = secret.NewKey()

// A fakeTransport receives what was put into in, and collects what is sent.
type fakeTransport struct {
	in  []packet.Packet
	out []packet.Packet
	// discard makes Send forget: a benchmark does not want the copies.
	discard bool
	last    int // packets of the last Send
}

func (f *fakeTransport) Recv(batch []packet.Packet) (int, error) {
	if f.in == nil {
		return 0, net.ErrClosed
	}
	n := 0
	for n < len(batch) && n < len(f.in) {
		data := append(batch[n].Room()[:0], f.in[n].Data...)
		copyEnds(&batch[n], &f.in[n])
		batch[n].Data = data
		n++
	}
	f.in = f.in[n:]
	return n, nil
}

func copyEnds(dst, src *packet.Packet) {
	dst.Peer, dst.Local, dst.TID, dst.Flags, dst.Zone, dst.Time, dst.Hash = src.Peer, src.Local, src.TID, src.Flags, src.Zone, src.Time, src.Hash
}

func (f *fakeTransport) Send(batch []packet.Packet) error {
	f.last = len(batch)
	if f.discard {
		return nil
	}
	for i := range batch {
		p := batch[i]
		p.Data = append([]byte(nil), p.Data...)
		f.out = append(f.out, p)
	}
	return nil
}

func (f *fakeTransport) Close() error { return nil }

// files renders from a map. Files whose names begin with "dynamic" are appended to Buf.
type files map[string][]byte

func (f files) RenderBatch(_ int64, reqs []Request) {
	for i := range reqs {
		r := &reqs[i]
		body, ok := f[string(r.Name)]
		switch {
		case ok && strings.HasPrefix(string(r.Name), "dynamic"):
			r.Body = append(r.Buf, body...)
		case ok:
			r.Body = body
		case string(r.Name) == "secret":
			r.Err = fs.ErrPermission
		case string(r.Name) == "soon":
			r.Err = syscall.EAGAIN
		case string(r.Name) == "broken":
			r.Err = fs.ErrInvalid
		default:
			r.Err = fs.ErrNotExist
		}
	}
}

func modem(i int) netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), uint16(1024+i%60000))
}

func toServer(peer netip.AddrPort, data []byte) packet.Packet {
	return packet.Packet{Data: data, Peer: peer, Local: netip.AddrPortFrom(server, port), TID: tid, Hash: key.Hash(peer)}
}

func toTransfer(peer netip.AddrPort, data []byte) packet.Packet {
	return packet.Packet{Data: data, Peer: peer, Local: netip.AddrPortFrom(server, tid), Hash: key.Hash(peer)}
}

func rrq(name string, o tftp.Options) []byte { return tftp.AppendRequest(nil, name, "octet", &o) }
