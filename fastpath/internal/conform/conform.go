// Package conform tests a TFTP server over any transport: scripted clients against a worker.
package conform

import (
	"bytes"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/fastpath"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// A Network is a server and its clients with a transport between them.
type Network interface {
	// Serve starts a server that is stopped when the test ends. It returns the server's address.
	Serve(t testing.TB, cfg Setup) (server netip.AddrPort, stats func() fastpath.Stats)
	// Client returns a client with an address and port of its own.
	Client(t testing.TB) Client
}

// An Apart is a Network that can be copied, so that scripts run in parallel. Each copy has addresses of its own: a late packet to a port
// that is closed by then cannot reach another script's server.
type Apart interface{ Apart() Network }

// A Setup configures a server.
type Setup struct {
	Server     fastpath.ServerConfig
	Renderer   fastpath.Renderer
	SinglePort bool
	Marking    packet.Marking // of answers
	OneWorker  bool           // the script tests the limits of one worker
}

// A Client is a UDP socket.
type Client interface {
	Send(to netip.AddrPort, data []byte) error
	// Recv waits at most that long for a packet, and returns nil if none arrives.
	Recv(wait time.Duration) (data []byte, from netip.AddrPort)
}

// A Leaver is a Client that can close its port. From then on its host answers packets with port unreachable.
type Leaver interface{ Leave() }

// Files renders from a map. Bodies of up to 16 KiB are copied to the worker's buffer, as templates are; longer ones are
// returned as they are. The names denied, soon and broken return errors.
type Files map[string][]byte

// RenderBatch implements fastpath.Renderer.
func (f Files) RenderBatch(_ int64, reqs []fastpath.Request) {
	for i := range reqs {
		r := &reqs[i]
		body, ok := f[string(r.Name)]
		switch {
		case ok && len(body) <= 16<<10:
			r.Body = append(r.Buf, body...)
		case ok:
			r.Body, r.Hold = body, f
		case string(r.Name) == "denied":
			r.Err = fmt.Errorf("render: %w", fs.ErrPermission)
		case string(r.Name) == "soon":
			r.Err = syscall.EAGAIN
		case string(r.Name) == "broken":
			r.Err = fs.ErrInvalid
		default:
			r.Err = fs.ErrNotExist
		}
	}
}

// Pattern returns n octets in which no two blocks are equal.
func Pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i) ^ byte(i>>8)*31 ^ byte(i>>16)*17
	}
	return b
}

const (
	patience = 20 * time.Second      // for packets that must arrive
	quiet    = 60 * time.Millisecond // in which no packet may arrive
)

// A peer is a client and its server.
type peer struct {
	t      testing.TB
	c      Client
	server netip.AddrPort
	tid    netip.AddrPort // where the last packet came from
	step   int            // in a dialogue, from 1; 0: none
}

func (p *peer) ask(data string) {
	p.t.Helper()
	if err := p.c.Send(p.server, []byte(data)); err != nil {
		p.fatalf("%v", err)
	}
}

func (p *peer) reply(data []byte) {
	p.t.Helper()
	if err := p.c.Send(p.tid, data); err != nil {
		p.fatalf("%v", err)
	}
}

func (p *peer) ack(block uint16) {
	p.t.Helper()
	p.reply(tftp.AppendACK(nil, block))
}

// fatalf ends the test; in a dialogue it reports the step.
func (p *peer) fatalf(format string, args ...any) {
	p.t.Helper()
	if p.step > 0 {
		p.t.Fatalf("step %d: "+format, append([]any{p.step}, args...)...)
	}
	p.t.Fatalf(format, args...)
}

func (p *peer) want(data string) {
	p.t.Helper()
	b, from := p.c.Recv(patience)
	if string(b) != data {
		p.fatalf("got %.80q from %v, want %.80q", b, from, data)
	}
	p.tid = from
}

// await is want, but skips other packets, which may be retransmissions.
func (p *peer) await(data string) {
	p.t.Helper()
	for {
		b, from := p.c.Recv(patience)
		if p.tid = from; string(b) == data {
			return
		}
		if b == nil {
			p.fatalf("nothing came, want %.80q", data)
		}
	}
}

func (p *peer) wantError(code tftp.Code) {
	p.t.Helper()
	b, from := p.c.Recv(patience)
	got, text, err := tftp.ParseERROR(b)
	if err != nil || got != code {
		p.fatalf("got %.80q from %v, want ERROR %d", b, from, code)
	}
	if len(text) == 0 || len(text) > 64 {
		p.t.Errorf("ERROR text %q", text)
	}
	p.tid = from
}

func (p *peer) silence() {
	p.t.Helper()
	p.silenceFor(quiet)
}

func (p *peer) silenceFor(d time.Duration) {
	p.t.Helper()
	if b, from := p.c.Recv(d); b != nil {
		p.fatalf("got %.80q from %v, want silence", b, from)
	}
}

func data(block uint16, body []byte) string { return string(tftp.AppendDATA(nil, block, body)) }

func request(name, mode string, o tftp.Options) string {
	return string(tftp.AppendRequest(nil, name, mode, &o))
}

// leave closes the client's port.
func (p *peer) leave() { p.c.(Leaver).Leave() }

// stranger returns a client of n that has fetched a file and then sent an ACK to p's port, which is not its own at the worker
// there; and its own port. One whose port there is the same by chance gets ERROR 5, as it should, and is not returned.
func (p *peer) stranger(n Network) (s *peer, own netip.AddrPort) {
	p.t.Helper()
	for {
		s = &peer{t: p.t, c: n.Client(p.t), server: p.server}
		s.fetch("small", "octet", tftp.Options{}, small)
		own = s.tid
		if own == p.tid {
			continue
		}
		s.tid = p.tid
		s.ack(1)
		b, from := s.c.Recv(quiet)
		if b == nil {
			return s, own
		}
		if code, _, err := tftp.ParseERROR(b); err != nil || code != tftp.CodeUnknownTID {
			p.fatalf("a stranger got %.80q from %v, want silence or ERROR 5", b, from)
		}
	}
}

// fetch gets a whole file as a client that follows RFC 7440, and checks every block.
func (p *peer) fetch(name, mode string, o tftp.Options, body []byte) {
	p.t.Helper()
	p.ask(request(name, mode, o))
	blksize, window := tftp.DefaultBlksize, 1
	if o.Has != 0 {
		b, from := p.c.Recv(patience)
		var got tftp.Options
		if err := tftp.ParseOACK(b, &got); err != nil {
			p.fatalf("got %.80q, want an OACK", b)
		}
		p.tid = from
		if got.Has&tftp.Blksize != 0 {
			blksize = got.Blksize
		}
		if got.Has&tftp.Windowsize != 0 {
			window = got.Windowsize
		}
		if got.Has&tftp.Tsize != 0 && got.Tsize != int64(len(body)) {
			p.fatalf("tsize %d, want %d", got.Tsize, len(body))
		}
		p.ack(0)
	}
	for n := 1; ; n++ {
		off := min((n-1)*blksize, len(body))
		end := min(off+blksize, len(body))
		b, from := p.c.Recv(patience)
		block, got, err := tftp.ParseDATA(b)
		if err != nil || block != uint16(n) || !bytes.Equal(got, body[off:end]) {
			p.fatalf("block %d: got %.40q, %d octets", n, b, len(b))
		}
		if n == 1 {
			p.tid = from
		} else if from != p.tid {
			p.fatalf("block %d came from %v, the one before from %v", n, from, p.tid)
		}
		last := end-off < blksize
		if n%window == 0 || last {
			p.ack(uint16(n))
		}
		if last {
			return
		}
	}
}

// count waits until a counter has the expected value.
func count(t testing.TB, name string, want uint64, read func() uint64) {
	t.Helper()
	var got uint64
	for range patience / time.Millisecond {
		if got = read(); got == want {
			return
		}
		time.Sleep(time.Millisecond)
	}
	t.Errorf("%s: %d, want %d", name, got, want)
}

// A want is the counters that a script must cause; all other counters of trouble must be 0.
type want struct {
	events    map[fastpath.Event]uint64
	transfers map[transfer.Event]uint64
}

type script struct {
	name   string
	setup  func(*Setup)
	large  bool // uses a file of tens of megabytes
	leaves bool // needs a Leaver as its client
	run    func(p *peer, n Network)
	counts want
	may    []transfer.Event // events that may be counted as well
}

var (
	small = Pattern(400)
	long  = Pattern(5*512 + 17)
	text  = []byte("one\ntwo\r\n" + strings.Repeat("x\n", 400))
)

// Run runs all scripts; without large, it skips those with files of tens of megabytes.
func Run(t *testing.T, n Network, large bool) {
	files := Files{"small": small, "long": long, "text": text, "Small": []byte("capital")}
	for _, size := range []int{0, 1, 511, 512, 513, 1024, 20000} {
		files[fmt.Sprint(size)] = Pattern(size)
	}
	if large {
		files["33M"], files["64M"] = Pattern(33<<20), Pattern(64<<20)
	}
	apart, isApart := n.(Apart)
	for _, tt := range scripts() {
		t.Run(tt.name, func(t *testing.T) {
			if tt.large && !large {
				t.Skip("a large file")
			}
			n := n
			if isApart {
				t.Parallel()
				n = apart.Apart()
			}
			s := Setup{Renderer: files}
			s.Server.Worker.Transfer.Timeout = 10 * time.Second
			s.Server.Worker.Transfer.Transfers = 1024
			s.Server.Worker.Transfer.Memory = 1 << 20
			if tt.setup != nil {
				tt.setup(&s)
			}
			server, stats := n.Serve(t, s)
			p := &peer{t: t, c: n.Client(t), server: server}
			if _, ok := p.c.(Leaver); tt.leaves && !ok {
				t.Skip("this network's clients do not leave")
			}
			tt.run(p, n)
			for e, want := range tt.counts.events {
				count(t, e.String(), want, func() uint64 { return stats().Events[e] })
			}
			for e, want := range tt.counts.transfers {
				count(t, e.String(), want, func() uint64 { return stats().Transfers[e] })
			}
			st := stats()
			for e := fastpath.UnknownOpcode; e < fastpath.NumEvents; e++ {
				if _, ok := tt.counts.events[e]; !ok && st.Events[e] != 0 {
					t.Errorf("%v: %d, want 0", e, st.Events[e])
				}
			}
			for e := transfer.GaveUp; e < transfer.NumEvents; e++ {
				if _, ok := tt.counts.transfers[e]; !ok && e != transfer.BlockSent && !slices.Contains(tt.may, e) && st.Transfers[e] != 0 {
					t.Errorf("%v: %d, want 0", e, st.Transfers[e])
				}
			}
			if st.SendErrors != 0 {
				t.Errorf("%d send errors", st.SendErrors)
			}
		})
	}
}
