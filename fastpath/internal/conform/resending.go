package conform

import (
	"time"

	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// resending holds scripts about timeouts and retransmissions.
var resending = []script{
	{
		name: "lost packets are retransmitted with back-off, up to a limit",
		setup: func(s *Setup) {
			s.Server.Worker.Transfer.Timeout = 100 * time.Millisecond
			s.Server.Worker.Transfer.MaxTimeout = 200 * time.Millisecond
			s.Server.Worker.Transfer.Retries = 3
		},
		run: func(p *peer, _ Network) {
			// The lower bounds of the waits are checked; the upper ones depend on the load of the machine.
			var over []<-chan time.Time
			for _, wait := range []time.Duration{100, 300, 500} {
				over = append(over, time.After(wait*time.Millisecond*9/10))
			}
			p.ask(request("513", "octet", tftp.Options{}))
			p.want(data(1, Pattern(513)[:512]))
			p.ack(1)
			p.want(data(2, Pattern(513)[512:]))
			for i, c := range over {
				p.want(data(2, Pattern(513)[512:]))
				select {
				case <-c:
				default:
					p.t.Errorf("repetition %d comes too soon", i)
				}
			}
			p.silenceFor(300 * time.Millisecond)
		},
		counts: want{transfers: transfers{transfer.TimedOut: 3, transfer.GaveUp: 1, transfer.GaveUpLast: 1}},
	},
	{
		name: "first packet is retransmitted once, whatever the timeout option",
		setup: func(s *Setup) {
			s.Server.Worker.Transfer.Timeout = 100 * time.Millisecond
		},
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Timeout | tftp.Windowsize, Timeout: 255, Windowsize: 8}))
			for range 2 {
				p.want("\x00\x06timeout\x00255\x00windowsize\x008\x00")
			}
			p.silenceFor(300 * time.Millisecond)
		},
		counts: want{transfers: transfers{transfer.TimedOut: 1, transfer.GaveUp: 1, transfer.GaveUpFirst: 1}},
	},
	{
		name: "after a timeout one block of the window is retransmitted",
		setup: func(s *Setup) {
			s.Server.Worker.Transfer.Timeout = 500 * time.Millisecond
		},
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Windowsize, Windowsize: 4}), oack("windowsize\x004\x00"), ack(0),
			block(1), block(2), block(3), block(4), block(1), ack(4), block(5), block(6), ack(6),
		),
		counts: want{transfers: transfers{transfer.TimedOut: 1, transfer.Finished: 1}},
	},
	{
		name: "lost OACK is retransmitted",
		setup: func(s *Setup) {
			s.Server.Worker.Transfer.Timeout = 500 * time.Millisecond
		},
		run: dialogue(
			ask("small", tsize), oack("tsize\x00400\x00"), oack("tsize\x00400\x00"), ack(0),
			receive(data(1, small)), ack(1),
		),
		counts: want{transfers: transfers{transfer.TimedOut: 1, transfer.Finished: 1}},
	},
	{
		name: "windowsize: resent from the gap",
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Windowsize, Windowsize: 4}), oack("windowsize\x004\x00"), ack(0),
			block(1), block(2), block(3), block(4), ack(2), block(3), block(4), block(5), block(6), silent, ack(6),
		),
		counts: want{transfers: transfers{transfer.WindowResent: 1, transfer.Finished: 1}},
	},
	{
		name: "windowsize: a repeated ACK resends from a lost first block, once",
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Windowsize, Windowsize: 2}))
			p.want("\x00\x06windowsize\x002\x00")
			p.ack(0)
			p.want(data(1, long[:512]))
			p.want(data(2, long[512:1024]))
			p.ack(2)
			p.want(data(3, long[1024:1536]))
			p.want(data(4, long[1536:2048]))
			time.Sleep(quiet) // more than a round trip: an earlier repetition counts as a duplicate
			p.ack(2)
			p.want(data(3, long[1024:1536]))
			p.want(data(4, long[1536:2048]))
			p.ack(2)
			p.silence()
			p.ack(4)
			p.want(data(5, long[2048:2560]))
			p.want(data(6, long[2560:]))
			p.ack(6)
		},
		counts: want{transfers: transfers{transfer.WindowResent: 1, transfer.RepeatedACK: 1, transfer.Finished: 1}},
	},
}
