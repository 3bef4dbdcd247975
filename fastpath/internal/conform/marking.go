package conform

import (
	"fmt"
	"testing"

	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
)

// A MarkedClient sets the TOS or traffic class octet of what it sends, and reads that of what it receives.
type MarkedClient interface {
	Client
	Mark(tos uint8) error // of all packets sent from now on
	TOS() uint8           // of the last packet received
}

// RunMarking tests that all kinds of answers carry the right DSCP and no ECN bits. Clients must be MarkedClients.
func RunMarking(t *testing.T, n Network) {
	const (
		ef, af41 = 46 << 2, 34 << 2 // RFC 3246, RFC 2597
		ecnCE    = 3                // RFC 3168
	)
	for _, tt := range []struct {
		marking       packet.Marking
		request, want uint8
		single        bool
	}{
		{packet.Marking{}, ef, 0, false},
		{packet.Marking{DSCP: 46}, 0, ef, false},
		{packet.Marking{DSCP: 63}, af41 | ecnCE, 63 << 2, true},
		{packet.Marking{Mirror: true}, 0, 0, false},
		{packet.Marking{Mirror: true}, af41, af41, true},
		{packet.Marking{Mirror: true}, ef | ecnCE, ef, false},
	} {
		t.Run(fmt.Sprintf("%+v, asked with %#x, single port %v", tt.marking, tt.request, tt.single), func(t *testing.T) {
			s := Setup{Renderer: Files{"long": long}, Marking: tt.marking, SinglePort: tt.single}
			s.Server.Worker.Transfer.Timeout = patience
			server, stats := n.Serve(t, s)
			answersMarked(t, n, &peer{t: t, server: server}, tt.request, tt.want)
			if e := stats().SendErrors; e != 0 {
				t.Errorf("%d send errors", e)
			}
		})
	}
}

func answersMarked(t *testing.T, n Network, p *peer, asked, want uint8) {
	client := func() MarkedClient {
		c := n.Client(t).(MarkedClient)
		if err := c.Mark(asked); err != nil {
			t.Fatal(err)
		}
		p.c = c
		return c
	}
	check := func(c MarkedClient, what string) {
		t.Helper()
		if got := c.TOS(); got != want {
			t.Errorf("%s has TOS %#x, want %#x", what, got, want)
		}
	}
	c := client()
	o := tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 1024, Windowsize: 2}
	for range 2 { // the second is a repeated request
		p.ask(request("long", "octet", o))
		p.want(string(tftp.AppendOACK(nil, &o)))
		check(c, "OACK")
	}
	// The transfer has the DSCP of its request, whatever that of the client's ACKs.
	if err := c.Mark(10 << 2); err != nil {
		t.Fatal(err)
	}
	p.ack(0)
	p.want(data(1, long[:1024]))
	check(c, "DATA 1")
	p.want(data(2, long[1024:2048]))
	check(c, "DATA 2")
	p.ack(2)
	p.want(data(3, long[2048:]))
	check(c, "DATA 3")
	p.ack(3)

	c = client()
	p.ask(request("unknown", "octet", tftp.Options{}))
	p.wantError(tftp.CodeNotFound)
	check(c, "ERROR 1")
	c = client()
	p.ask("\x00\x02x\x00octet\x00")
	p.wantError(tftp.CodeAccess)
	check(c, "ERROR 2")
	// To the port that the ERROR came from, where there is no transfer.
	p.ack(7)
	p.wantError(tftp.CodeUnknownTID)
	check(c, "ERROR 5")
}
