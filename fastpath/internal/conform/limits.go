package conform

import (
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// limits holds scripts about a full table, full memory, a single port, and large files.
var limits = []script{
	{
		name:  "table full: the oldest half-open transfer is evicted, an established one is not",
		setup: func(s *Setup) { s.OneWorker, s.Server.Worker.Transfer.Transfers = true, 2 },
		run: func(p *peer, n Network) {
			second := &peer{t: p.t, c: n.Client(p.t), server: p.server}
			third := &peer{t: p.t, c: n.Client(p.t), server: p.server}
			p.ask(request("long", "octet", tftp.Options{}))
			p.want(data(1, long[:512]))
			p.ack(1)
			p.want(data(2, long[512:1024]))
			second.ask(request("long", "octet", tftp.Options{}))
			second.want(data(1, long[:512]))
			third.ask(request("long", "octet", tftp.Options{}))
			third.want(data(1, long[:512]))
			second.ack(1)
			second.silence()
			third.ack(1)
			third.want(data(2, long[512:1024]))
			second.ask(request("long", "octet", tftp.Options{}))
			second.silence()
			p.ack(2)
			p.want(data(3, long[1024:1536]))
		},
		counts: want{transfers: transfers{transfer.Started: 3, transfer.Evicted: 1, transfer.LateACK: 1, transfer.TableFull: 1}},
	},
	{
		name:  "memory full: a request is ignored unless a half-open transfer can be evicted",
		setup: func(s *Setup) { s.OneWorker, s.Server.Worker.Transfer.Memory = true, 1<<16 },
		run: func(p *peer, n Network) {
			ask := func(name string, body []byte) *peer {
				c := &peer{t: p.t, c: n.Client(p.t), server: p.server}
				c.ask(request(name, "octet", tftp.Options{}))
				c.want(data(1, body[:512]))
				return c
			}
			goOn := func(c *peer) {
				c.ack(1)
				c.want(data(2, long[512:1024]))
			}
			var c *peer
			for range 15 {
				c = ask("long", long) // 2,577 octets: a sixteenth of the memory
				goOn(c)
			}
			ask("20000", Pattern(20000)) // is not copied
			ask("long", long)
			goOn(ask("long", long)) // reuses the memory of the previous one
			p.ask(request("long", "octet", tftp.Options{}))
			p.silence()
			c.reply(tftp.AppendERROR(nil, tftp.CodeUndefined, "enough"))
			p.fetch("long", "octet", tftp.Options{}, long)
		},
		counts: want{transfers: transfers{transfer.MemoryFull: 1, transfer.Evicted: 1, transfer.Started: 19, transfer.PeerUndefined: 1}},
	},
	{
		name:  "single port",
		setup: func(s *Setup) { s.SinglePort = true },
		run: func(p *peer, n Network) {
			p.fetch("long", "octet", tftp.Options{}, long)
			if p.tid != p.server {
				p.t.Errorf("answered from %v, not %v", p.tid, p.server)
			}
			p.ask(request("long", "octet", tftp.Options{}))
			p.want(data(1, long[:512]))
			other := &peer{t: p.t, c: n.Client(p.t), server: p.server, tid: p.server}
			other.ack(2)
			other.wantError(tftp.CodeUnknownTID)
			other.fetch("small", "octet", tftp.Options{}, small)
			p.ack(1)
			p.want(data(2, long[512:1024]))
		},
		counts: want{transfers: transfers{transfer.StrangerPacket: 1, transfer.Finished: 2}},
	},
	{
		name:   "33 MB at 512: block numbers roll over",
		large:  true,
		run:    fetchPattern("33M", none, 33<<20),
		counts: want{transfers: transfers{transfer.Finished: 1}},
	},
	{
		name:   "64 MB at 1428",
		large:  true,
		run:    fetchPattern("64M", tftp.Options{Has: tftp.Blksize | tftp.Tsize, Blksize: 1428}, 64<<20),
		counts: want{transfers: transfers{transfer.Finished: 1}},
	},
	{
		name:   "33 MB at 512 in windows of 16",
		large:  true,
		run:    fetchPattern("33M", tftp.Options{Has: tftp.Windowsize, Windowsize: 16}, 33<<20),
		counts: want{transfers: transfers{transfer.Finished: 1}},
	},
}
