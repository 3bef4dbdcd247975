package conform

import (
	"bytes"
	"net/netip"
	"testing"
	"time"

	"dcs/fastpath/tftp"
)

// clientTimeout is how long Fetch waits before it repeats its last ACK.
const clientTimeout = time.Second

// Fetch gets a whole file as a client that repeats its last ACK on a timeout (RFC 7440, section 4), and checks it.
func Fetch(t testing.TB, c Client, server netip.AddrPort, name string, o tftp.Options, body []byte) {
	t.Helper()
	p := &peer{t: t, c: c, server: server}
	p.ask(request(name, "octet", o))
	blksize, window := tftp.DefaultBlksize, 1
	if o.Has != 0 {
		b, from := p.c.Recv(patience)
		var got tftp.Options
		if err := tftp.ParseOACK(b, &got); err != nil {
			t.Fatalf("got %.80q, want an OACK", b)
		}
		p.tid = from
		if got.Has&tftp.Blksize != 0 {
			blksize = got.Blksize
		}
		if got.Has&tftp.Windowsize != 0 {
			window = got.Windowsize
		}
		p.ack(0)
	}
	var file []byte
	last, acked := uint16(0), uint16(0)
	for end := time.Now().Add(patience); time.Now().Before(end); {
		b, from := p.c.Recv(clientTimeout)
		if b == nil {
			p.ack(last)
			acked = last
			continue
		}
		p.tid = from
		block, data, err := tftp.ParseDATA(b)
		if err != nil {
			t.Fatalf("got %.80q, want DATA", b)
		}
		if block != last+1 {
			continue
		}
		last, file = block, append(file, data...)
		if done := len(data) < blksize; done || int(last-acked) == window {
			p.ack(last)
			if acked = last; done {
				if !bytes.Equal(file, body) {
					t.Fatalf("%s: %d octets, want %d others", name, len(file), len(body))
				}
				return
			}
		}
	}
	t.Fatalf("%s: %d of %d octets after %v", name, len(file), len(body), patience)
}
