package main

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == answering {
		if err := answerDevices(os.Stdin, os.Stdout); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// acts are attacks that are played at once in the short form: what one of them may spoil is bounded for all of these.
var acts = map[string][]string{
	"amplification": {
		"plain RRQs", "refusals", "repeated RRQs", "blind ACKs", "blind ACKs, IPv6", "blind ACKs, first window",
		"blind ACKs, no options", "replayed windows", "blind ERRORs",
	},
	"places":  {"half-open, one address", "half-open, options"},
	"prefix":  {"prefix"},
	"devices": {"random MACs"},
}

// The bounds of the attacks hold, in a short form and on a machine that has other things to do.
func TestBounds(t *testing.T) {
	require.Long(t, "attacks on a server")
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	bin, err := rig.Binary(t.Context(), t.TempDir(), os.Getenv("DCS_BINARY"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range []string{"socket", "xdp"} {
		for act, names := range acts {
			t.Run(transport+" "+act, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				if err := writeFiles(dir, self); err != nil {
					t.Fatal(err)
				}
				s := stage{dcs: bin, dir: dir, transport: transport, serverCPU: -1, loadCPU: -1, scale: brief, load: load{100, 2 * time.Second}}
				results, err := s.act(t.Context(), called(t, names)...)
				if err != nil {
					t.Fatal(err)
				}
				for i := range results {
					r := &results[i]
					for _, miss := range r.misses() {
						t.Errorf("%s: %s", r.name, miss)
					}
					t.Logf("%-24s %7d octets in, %9d out, %d of %d known modems failed, %d packets dropped",
						r.name, r.in.Octets, r.out.Octets, r.failed(), r.known.Offered, r.drops)
				}
			})
		}
	}
}

// called returns the attacks of those names.
func called(t *testing.T, names []string) (chosen []*attack) {
	for _, name := range names {
		before := len(chosen)
		for i := range attacks {
			if attacks[i].name == name {
				chosen = append(chosen, &attacks[i])
			}
		}
		if len(chosen) == before {
			t.Fatalf("there is no attack %q", name)
		}
	}
	return chosen
}

// What a kernel sends to addresses of modems is counted by class and in octets of IP packets, whatever else is sent.
func TestCounter(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	var c *counter
	if err := lab.Load.Do(func() (err error) { c, err = openCounter(); return err }); err != nil {
		t.Fatal(err)
	}
	defer c.close()
	send := func(to string, octets, times int) {
		t.Helper()
		err := lab.Server.Do(func() error {
			conn, err := net.Dial("udp", net.JoinHostPort(to, "9"))
			if err != nil {
				return err
			}
			defer conn.Close()
			for range times {
				if _, err := conn.Write(make([]byte, octets)); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	send("198.18.16.1", 100, 3)
	send("198.18.31.255", 4000, 1) // three fragments at an MTU of 1,500: 4,008 octets behind three headers of 20
	send("198.18.32.0", 1, 1)
	send("198.19.0.2", 500, 1) // the load's own
	send("fd00:198:18::7", 100, 2)
	send("fd00:198:18:0:1::7", 10, 1)
	for _, tt := range []struct {
		to   netip.Prefix
		want tally
	}{
		{victims(0, false), tally{3 + 3, 3*128 + 4008 + 3*20}},
		{victims(1, false), tally{1, 29}},
		{victims(2, false), tally{}},
		{victims(0, true), tally{2, 2 * 148}},
		{victims(1, true), tally{1, 58}},
	} {
		deadline := time.Now().Add(20 * time.Second)
		for {
			got, err := c.to(tt.to)
			if err != nil {
				t.Fatal(err)
			}
			if got == tt.want {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("to %s: %+v, want %+v", tt.to, got, tt.want)
				break
			}
			time.Sleep(time.Millisecond)
		}
	}
}

func TestMisses(t *testing.T) {
	base := attack{name: "a", bound: 3}
	for _, tt := range []struct {
		name string
		r    result
		want string // in the misses; empty: there are none
	}{
		{"within", result{in: tally{10, 100}, out: tally{10, 300}, known: &storm.Result{Offered: 10, Served: 10}}, ""},
		{"amplified", result{in: tally{10, 100}, out: tally{10, 301}, known: &storm.Result{}}, "3.0 octets out"},
		{"failed", result{in: tally{10, 100}, known: &storm.Result{Offered: 10, Failed: 1}}, "1 of 10 known modems failed"},
		{"wrong", result{in: tally{10, 100}, known: &storm.Result{Offered: 10, Wrong: 1}}, "1 of 10 known modems failed"},
		{"unfinished", result{in: tally{10, 100}, known: &storm.Result{Offered: 10, Unfinished: 1}}, "1 of 10 known modems failed"},
		{"dropped by sockets", result{transport: "socket", drops: 5, in: tally{10, 100}, known: &storm.Result{Offered: 80, Failed: 31}}, ""},
		{"failed beyond that", result{transport: "socket", drops: 5, in: tally{10, 100}, known: &storm.Result{Offered: 80, Failed: 32}}, "32 of 80 known modems failed, at most 31"},
		{"dropped by XDP", result{transport: "xdp", drops: 5, in: tally{10, 100}, known: &storm.Result{Offered: 80, Failed: 1}}, "at most 0"},
		{"slow", result{attack: &attack{bound: 1, slowest: time.Second}, known: &storm.Result{Latency: storm.Latency{Max: 1.1e6}}}, "waited 1100 ms"},
		{"a download broken off by chance", result{attack: &attack{targeted: 4}, broken: 1, known: &storm.Result{}}, ""},
		{"downloads broken off", result{attack: &attack{targeted: 4}, broken: 2, known: &storm.Result{}}, "2 of 4 downloads"},
	} {
		if tt.r.attack == nil {
			tt.r.attack = &base
		}
		got := strings.Join(tt.r.misses(), "; ")
		if (got == "") != (tt.want == "") || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestBufferErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		want uint64
	}{
		{"Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors\nUdp: 10 2 7 9 5 1\nUdpLite: InDatagrams RcvbufErrors\nUdpLite: 0 3\n", 5},
		{"Udp6InDatagrams                 \t20\nUdp6RcvbufErrors                \t6\nUdp6SndbufErrors \t1\n", 6},
		{"", 0},
	} {
		if got := bufferErrors(tt.text); got != tt.want {
			t.Errorf("%q: %d, want %d", tt.text, got, tt.want)
		}
	}
}

func TestQueued(t *testing.T) {
	const head = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
	for _, tt := range []struct {
		text string
		want bool
	}{
		{head, false},
		{head + "  123: 00000000:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n", false},
		{head + "  123: 00000000:0045 00000000:0000 07 00000300:00000000 00:00000000 00000000     0\n", false},
		{head + "  123: 00000000:0045 00000000:0000 07 00000000:00000A00 00:00000000 00000000     0\n", true},
	} {
		if got := queued(tt.text); got != tt.want {
			t.Errorf("%q: %v", tt.text, got)
		}
	}
}

// The plug-in speaks as its protocol has it, and takes its time.
func TestAnswerDevices(t *testing.T) {
	questions := `{"hello":1}
{"list":true}
{"id":1,"mac":"02:00:00:00:00:07"}
{"id":2,"mac":"06:12:34:56:78:9a"}
{"id":3,"ip":"198.18.0.1"}
`
	want := `{"hello":1,"attributes":["cpes"],"list":true,"ask":true}
{"mac":"02:00:00:ff:ff:fe","attrs":{"cpes":1}}
{"end":true,"count":1}
{"id":1,"attrs":{"cpes":2}}
{"id":2,"found":false}
{"id":3,"found":false}
`
	var got strings.Builder
	if err := answerDevices(strings.NewReader(questions), &got); err != nil {
		t.Fatal(err)
	}
	if got.String() != want {
		t.Errorf("%s", got.String())
	}
	long := strings.Repeat(`{"id":4,"ip":"198.18.0.1"}`+"\n", 200)
	begun := time.Now()
	if err := answerDevices(strings.NewReader(long), &got); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < 200*lookup-2*time.Millisecond {
		t.Errorf("200 lookups took %v", took)
	}
}

// The row of a result has its figures and its verdict. A server that is not there is an error, not a row.
func TestRow(t *testing.T) {
	var b strings.Builder
	r := result{attack: &attacks[0], transport: "xdp", in: tally{2, 92}, out: tally{4, 2176}, known: &storm.Result{Offered: 5, Latency: storm.Latency{Max: 1234}}}
	r.row(&b, r.misses())
	if want := "| plain RRQs | xdp | 2 | 92 | 2176 | 23.65 | 24 | 5 | 0 | 1.23ms | 0 | – | kept |\n"; b.String() != want {
		t.Errorf("%s", b.String())
	}
	if err := run(context.Background(), settings{dcs: "there is no such file", transports: "socket", only: "plain RRQs"}, &b); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a server that is not there: %v", err)
	}
}
