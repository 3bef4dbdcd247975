// It reads memory that the goroutines of the store write.
//go:build !race

package server

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"reflect"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/shared"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/dcstest"
	"dcs/fastpath"
	"dcs/fastpath/guard"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/tid"
	"dcs/fastpath/transfer"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/store"
	"dcs/render/device"
	"dcs/render/mic"
)

// TestCores has one of two workers answer requests, and looks for what it has written that the other one can reach, by whatever
// pointers, or that lies on a cache line with that. The page Architecture has a table of what may be written, how often, and why.
func TestCores(t *testing.T) {
	l := newCores(t)
	for _, tt := range []struct {
		name  string
		ask   func(n int) []byte
		may   []string // be written
		locks bool     // may be taken, by goroutines that the requests keep busy
		files bool     // answer each request
	}{
		{name: "known modems", ask: func(n int) []byte {
			return readRequest([]string{"modem", fmt.Sprintf("modem@%012x", coreMAC+n%coreModems), fmt.Sprintf("cm-%012x.bin", coreMAC+n%coreModems), "text"}[n%4])
		}, may: []string{"render.clones.sets"}, files: true},
		{name: "unknown names", ask: func(n int) []byte { return readRequest(fmt.Sprint("no-", n)) }},
		{name: "unknown devices", ask: func(n int) []byte { return readRequest(fmt.Sprintf("cm-%012x.bin", 0x060000000000+n)) }, locks: true, may: asked},
		{name: "no value", ask: func(n int) []byte { return readRequest("broken") }},
		{name: "malformed", ask: func(n int) []byte { return []byte{0, 1, 'x'} }},
	} {
		for _, wire := range l.wires { // what they need is learned, and their memory has grown
			wire.run(4000, tt.ask)
		}
		l.settle(t)
		one, other := l.reach(0), l.reach(1)
		w, release := shared.Begin(one, other), func() {}
		if !tt.locks {
			release = shared.Hold(one, other)
		}
		l.wires[0].start(2000, tt.ask)
		select {
		case <-l.wires[0].done:
		case <-time.After(10 * time.Second):
			t.Errorf("%s: a worker waits for a lock that another one may hold", tt.name)
			release()
			<-l.wires[0].done
			release = func() {}
		}
		release()
		l.settle(t)
		if n := l.wires[0].blocks; tt.files && n < 2000 {
			t.Errorf("%s: %d blocks for 2000 requests", tt.name, n)
		}
		for _, name := range w.Written() {
			if !slices.Contains(tt.may, name) {
				t.Errorf("%s: a worker has written %s, which shares a cache line with what another one reaches", tt.name, name)
			}
		}
	}
}

// asked is what workers write who ask about devices, and the goroutines that answer them.
var asked = []string{
	"store.intake.head", "store.lane.waiting", "store.lane.dropped", "store.intakeSlot.turn", "store.intakeSlot.lane", "store.question.mac", "netip.uint128.lo",
	"store.intake.tail", "store.askStats.waiting", "store.askStats.asking", "store.askStats.asked", "store.askStats.waited", "store.askStats.dropped",
	"store.source.asked", "store.unknowns.owners", "store.unknowns.slots", "shared.chanHeader", "shared.mapHeader",
}

const (
	coreModems = 100
	coreMAC    = 0x020000000000
)

// cores are two workers with all that they share, without the goroutines of a server.
type cores struct {
	wires []*wire
	front *fastpath.Server
	store *store.Store
}

func newCores(t *testing.T) *cores {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	var fleet strings.Builder
	fleet.WriteString("mac,ip,profile,down\n")
	for i := range coreModems {
		fmt.Fprintf(&fleet, "%012x,198.18.0.%d,%s,%d\n", coreMAC+i, i+1, []string{"gold", "bronze"}[i%2], i)
	}
	dcstest.Lay(t, map[string]string{
		at("fleet.csv"): fleet.String(), at("static/text"): "text",
		at("library/blocks.dcs"): "Block gold { MaxCPE 16; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down * 1000; } }\nBlock bronze { MaxCPE 1; SnmpMibObject sysContact.0 String \"$profile, $down\"; }\n",
		at("library/modem.dcs"):  "Main { NetworkAccess 1; include $profile; }\n",
		at("library/named.dcs"):  "Main ~ \"^cm-(?P<mac>[0-9a-f]{12})\\.bin$\" { NetworkAccess 1; include $profile; }\n",
		at("library/broken.dcs"): "Main { NetworkAccess 1; MaxCPE $down * 1000; }\n",
	})
	st, err := store.Open(store.Config{
		Dir: at("state"), Now: time.Now, Sources: []attr.Source{csvfile.New(csvfile.Config{Path: at("fleet.csv")}), asker{make(chan device.MAC)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	dcstest.Eventually(t, "the fleet is loaded", st.AllLoaded)
	cfg := config.Default()
	cfg.Library, cfg.Static = []string{at("library")}, []string{at("static")}
	lib, err := assemble.Library(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	keyring, err := mic.NewKeyring(mic.NewSecret(nil), mic.Prefix{Addresses: netip.MustParsePrefix("198.18.0.0/16"), Secret: mic.NewSecret([]byte("x")), CMTS: "a"})
	if err != nil {
		t.Fatal(err)
	}
	engine, err := render.NewEngine(render.Config{
		Library: lib, Keyring: keyring, Devices: &storeDevices{store: st}, Journal: 4096, Identity: render.Identity{Bind: render.BindLog},
		OnFault: func(*device.Outcome) {}, OnIdentity: func(*render.IdentityEvent) {},
	})
	if err != nil {
		t.Fatal(err)
	}
	l := &cores{store: st}
	g := guard.New(0)
	if err := g.Set(guard.Limits{Rate: cfg.Rate, Burst: config.DefaultBurst(cfg.Rate)}); err != nil {
		t.Fatal(err)
	}
	var transports []fastpath.Transport
	for range 2 {
		w := &wire{work: make(chan int), done: make(chan bool), guard: g, sieve: guard.NewSieve(2)}
		l.wires, transports = append(l.wires, w), append(transports, w)
	}
	worker := fastpath.Config{Transfer: transfer.Config{Transfers: 1024, Memory: 1 << 20}, Blksizes: new(fastpath.Blksizes)}
	worker.Blksizes.Store(tftp.MaxBlksize, tftp.MaxBlksize)
	l.front = fastpath.NewServer(fastpath.ServerConfig{Worker: worker, NoPin: true, Drain: -1}, transports,
		func(int) fastpath.Renderer { return &adapter{worker: engine.Worker()} }, monotonic(time.Now()))
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- l.front.Run(ctx) }()
	gc := debug.SetGCPercent(-1) // memory that is freed and used again would look like memory that was written
	t.Cleanup(func() {
		debug.SetGCPercent(gc)
		stop()
		for _, w := range l.wires {
			close(w.work)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return l
}

// reach returns what a worker can reach, but for the lists of all workers that are there for those who read their counters, and for maps that
// goroutines which ask sources change at any time, under locks that Hold takes.
func (l *cores) reach(worker int) *shared.Reach {
	return shared.Of(reflect.ValueOf(l.front).Elem().FieldByName("workers").Index(worker), "render.Engine.workers", "store.asker.inFlight", "store.asker.scheduled")
}

// settle waits until nobody asks about devices.
func (l *cores) settle(t *testing.T) {
	intake := reflect.ValueOf(l.store).Elem().FieldByName("intake").Elem()
	calm := 0 // times in a row: between the intake and Questions, a question is in neither for a moment
	dcstest.Eventually(t, "all questions about devices are answered", func() bool {
		q := l.store.Questions()
		if q.Waiting+q.Asking > 0 || intake.FieldByName("head").FieldByName("v").Uint() != intake.FieldByName("tail").Uint() {
			calm = 0
		}
		calm++
		return calm > 4
	})
}

// A wire is a transport whose clients send requests and acknowledge each block.
type wire struct {
	_     [shared.Line]byte
	work  chan int // so many requests are to be sent
	done  chan bool
	ask   func(n int) []byte
	guard *guard.Guard
	sieve *guard.Sieve

	from, to int // requests that are to be sent
	acks     []ack
	blocks   int // sent since start
	_        [shared.Line]byte
}

type ack struct {
	to   netip.AddrPort
	data [4]byte
}

// run sends requests until they are answered.
func (w *wire) run(n int, ask func(n int) []byte) {
	w.start(n, ask)
	<-w.done
}

// start is run without the wait for done.
func (w *wire) start(n int, ask func(n int) []byte) {
	w.ask, w.blocks = ask, 0
	w.work <- n
}

const wireTID = 40000

var (
	wireServer = netip.MustParseAddr("198.18.255.1")
	wireKey    = tid.NewKey()
)

// Recv implements [fastpath.Transport].
func (w *wire) Recv(batch []packet.Packet) (int, error) {
	for len(w.acks) == 0 && w.from == w.to {
		if w.to > 0 {
			w.done <- true
		}
		n, ok := <-w.work
		if !ok {
			return 0, net.ErrClosed
		}
		w.to += n
	}
	n := 0
	for ; n < len(batch) && len(w.acks) > 0; n++ {
		a := w.acks[len(w.acks)-1]
		w.acks = w.acks[:len(w.acks)-1]
		w.receive(&batch[n], a.to, netip.AddrPortFrom(wireServer, wireTID), 0, a.data[:])
	}
	for ; n < len(batch) && w.from < w.to; n++ {
		modem := netip.AddrFrom4([4]byte{198, 18, 0, byte(1 + w.from%coreModems)})
		w.receive(&batch[n], netip.AddrPortFrom(modem, uint16(1024+w.from/coreModems)), netip.AddrPortFrom(wireServer, 69), wireTID, w.ask(w.from))
		w.from++
	}
	w.guard.Judge(time.Now().UnixNano(), batch[:n], w.sieve)
	return n, nil
}

func (w *wire) receive(p *packet.Packet, from, to netip.AddrPort, tid uint16, data []byte) {
	p.Reset()
	p.Data = append(p.Data, data...)
	p.Peer, p.Local, p.TID, p.Hash = from, to, tid, wireKey.Hash(from)
}

// Send implements [fastpath.Transport].
func (w *wire) Send(batch []packet.Packet) error {
	for i := range batch {
		if p := &batch[i]; tftp.Opcode(p.Data) == tftp.OpDATA {
			w.blocks++
			w.acks = append(w.acks, ack{p.Peer, [4]byte{0, tftp.OpACK, p.Data[2], p.Data[3]}})
		}
	}
	return nil
}

// Close implements [fastpath.Transport].
func (w *wire) Close() error { return nil }

func readRequest(name string) []byte { return tftp.AppendRequest(nil, name, "octet", &tftp.Options{}) }
