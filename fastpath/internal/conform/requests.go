package conform

import (
	"bytes"
	"time"

	"dcs/fastpath"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// requests holds scripts in which a client asks, asks again, or asks for another file.
var requests = []script{
	{
		name: "netascii",
		run: func(p *peer, _ Network) {
			// RFC 764: LF is sent as CR LF, CR as CR NUL.
			want := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r"), []byte("\r\x00")), []byte("\n"), []byte("\r\n"))
			p.fetch("text", "NetASCII", tftp.Options{}, want)
			p.fetch("text", "netascii", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 9, Windowsize: 5}, want)
		},
		counts: want{transfers: transfers{transfer.Finished: 2}},
	},
	{
		name: "netascii, window resent",
		run: func(p *peer, _ Network) {
			want := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r"), []byte("\r\x00")), []byte("\n"), []byte("\r\n"))
			p.ask(request("text", "netascii", tftp.Options{Has: tftp.Blksize | tftp.Windowsize | tftp.Tsize, Blksize: 9, Windowsize: 3}))
			p.want("\x00\x06blksize\x009\x00windowsize\x003\x00")
			p.ack(0)
			p.want(data(1, want[:9]))
			p.want(data(2, want[9:18]))
			p.want(data(3, want[18:27]))
			p.ack(2)
			p.want(data(3, want[18:27]))
			p.want(data(4, want[27:36]))
			p.want(data(5, want[36:45]))
		},
		counts: want{transfers: transfers{transfer.WindowResent: 1}},
	},
	{
		name: "names are case-sensitive",
		run:  dialogue(fetch("Small", none, []byte("capital"))),
	},
	{
		name: "repeated request is answered again and starts no transfer",
		run: func(p *peer, _ Network) {
			p.ask(request("small", "octet", tftp.Options{}))
			p.want(data(1, small))
			tid := p.tid
			p.ask(request("small", "octet", tftp.Options{}))
			p.want(data(1, small))
			if p.tid != tid {
				p.t.Errorf("from %v, before from %v", p.tid, tid)
			}
			p.ack(1)
		},
		counts: want{transfers: transfers{transfer.Started: 1, transfer.RepeatedRequest: 1, transfer.Finished: 1}},
	},
	{
		name: "repeated request with options is answered with the OACK",
		run: func(p *peer, _ Network) {
			for range 3 {
				p.ask(request("small", "octet", tftp.Options{Has: tftp.Tsize}))
				p.want("\x00\x06tsize\x00400\x00")
			}
			p.ack(0)
			p.want(data(1, small))
			p.ack(1)
		},
		counts: want{transfers: transfers{transfer.Started: 1, transfer.RepeatedRequest: 2, transfer.Finished: 1}},
	},
	{
		name:   "late copy of the request does not disturb",
		run:    dialogue(ask("long", none), block(1), ack(1), block(2), ask("long", none), silent, ack(2), block(3)),
		counts: want{transfers: transfers{transfer.Started: 1, transfer.LateRequest: 1}},
	},
	{
		name:   "request for another file, forged in the name of a client, does not disturb",
		run:    dialogue(ask("long", none), block(1), ack(1), block(2), ask("small", none), silent, ack(2), block(3)),
		counts: want{transfers: transfers{transfer.Started: 1, transfer.LateRequest: 1}},
	},
	{
		name:   "client whose last ACK was lost gets its next file at once",
		run:    dialogue(ask("513", none), receive(data(1, Pattern(513)[:512])), ack(1), receive(data(2, Pattern(513)[512:])), fetch("small", none, small)),
		counts: want{transfers: transfers{transfer.Started: 2, transfer.Restarted: 1, transfer.Finished: 1}},
	},
	{
		name:  "client that restarted on the same port is served from the beginning",
		setup: func(s *Setup) { s.Server.Worker.Transfer.Timeout = 100 * time.Millisecond },
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Timeout, Timeout: 200}))
			p.want("\x00\x06timeout\x00200\x00")
			p.ack(0)
			p.want(data(1, long[:512]))
			p.ack(1)
			p.want(data(2, long[512:1024]))
			time.Sleep(350 * time.Millisecond) // long enough for two unanswered retransmissions
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Timeout, Timeout: 200}))
			p.want("\x00\x06timeout\x00200\x00")
		},
		counts: want{transfers: transfers{transfer.Started: 2, transfer.Restarted: 1}},
	},
	{
		name:  "forged requests end no transfer, whatever they ask for",
		setup: func(s *Setup) { s.Server.Worker.Transfer.Timeout = 20 * time.Second },
		run: dialogue(
			ask("long", none),
			block(1),
			ack(1),
			block(2),
			send("\x00\x02long\x00octet\x00"), // a write request
			send("\x00\x01long"),              // truncated
			send("\x00\x01long\x00octet\x00netaddr\x0010.0.0.1\x00netaddr\x0010.0.0.2\x00"), // two modems
			send(request("long", "carrier pigeon", tftp.Options{})),
			send(request("nothing of that name", "octet", tftp.Options{})),
			ask("small", none),
			silent,
			ack(2),
			block(3),
		),
		counts: want{
			transfers: transfers{transfer.Started: 1, transfer.LateRequest: 6},
			events:    events{fastpath.WriteRequest: 1, fastpath.NameUnterminated: 1, fastpath.ModeUnknown: 1, fastpath.OptionProxy: 1},
		},
	},
	{
		name: "client that falls back to no options is served without",
		run: dialogue(
			ask("small", tsize), oack("tsize\x00400\x00"), ask("small", none), receive(data(1, small)),
			ack(1),
		),
		counts: want{transfers: transfers{transfer.Started: 2, transfer.Restarted: 1, transfer.Finished: 1}},
	},
}
