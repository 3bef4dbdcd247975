package conform

import (
	"time"

	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// often sets retransmission to twice a second: hosts limit port unreachable to about one a second.
func often(s *Setup) {
	t := &s.Server.Worker.Transfer
	t.Timeout, t.MaxTimeout, t.Retries = 500*time.Millisecond, 500*time.Millisecond, 40
}

// leaving holds scripts in which a client closes its port. Other transfers must go on undisturbed.
var leaving = []script{
	{
		name: "client that leaves in the middle", leaves: true, setup: often,
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{}))
			p.await(data(1, long[:512]))
			p.ack(1)
			p.await(data(2, long[512:1024]))
			p.leave()
		},
		counts: want{transfers: transfers{transfer.Started: 1, transfer.Unreachable: 1}},
		may:    []transfer.Event{transfer.TimedOut},
	},
	{
		name: "client that wanted to know the size only", leaves: true, setup: often,
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Tsize}))
			p.await("\x00\x06tsize\x002577\x00")
			p.ack(0)
			p.await(data(1, long[:512]))
			p.leave()
		},
		counts: want{transfers: transfers{transfer.Started: 1, transfer.Unreachable: 1}},
		may:    []transfer.Event{transfer.TimedOut},
	},
	{
		name: "client that leaves, single port", leaves: true,
		setup: func(s *Setup) {
			often(s)
			s.SinglePort, s.OneWorker = true, true
		},
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{}))
			p.await(data(1, long[:512]))
			p.ack(1)
			p.await(data(2, long[512:1024]))
			p.leave()
		},
		counts: want{transfers: transfers{transfer.Started: 1, transfer.Unreachable: 1}},
		may:    []transfer.Event{transfer.TimedOut},
	},
	{
		name: "clients that leave disturb no other", leaves: true,
		setup: func(s *Setup) {
			often(s)
			s.OneWorker = true
		},
		run: func(p *peer, n Network) {
			for range 3 {
				q := &peer{t: p.t, c: n.Client(p.t), server: p.server}
				q.ask(request("long", "octet", tftp.Options{}))
				q.await(data(1, long[:512]))
				q.ack(1)
				q.await(data(2, long[512:1024]))
				q.leave()
			}
			for range 5 {
				Fetch(p.t, p.c, p.server, "20000", tftp.Options{Has: tftp.Blksize, Blksize: 64}, Pattern(20000))
			}
		},
		counts: want{transfers: transfers{transfer.Started: 8, transfer.Finished: 5, transfer.Unreachable: 3}},
		may:    []transfer.Event{transfer.TimedOut, transfer.RepeatedACK, transfer.LateACK, transfer.LateRequest},
	},
}
