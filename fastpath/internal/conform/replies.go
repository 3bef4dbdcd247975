package conform

import (
	"fmt"

	"dcs/fastpath"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

// replies holds scripts about packets to the port of a transfer: ACKs, ERRORs, packets from strangers.
var replies = []script{
	{
		name:   "repeated ACK sends nothing (Sorcerer's Apprentice)",
		run:    dialogue(ask("long", none), block(1), ack(1), block(2), ack(1), ack(1), silent, ack(2), block(3), ack(0xffff), silent),
		counts: want{transfers: transfers{transfer.RepeatedACK: 3}},
	},
	{
		name: "repeated ACK of the OACK sends nothing",
		run: dialogue(
			ask("long", tsize), oack("tsize\x002577\x00"), ack(0), block(1),
			ack(0), silent,
		),
		counts: want{transfers: transfers{transfer.RepeatedACK: 1}},
	},
	{
		name:   "ACK of the future is ignored",
		run:    dialogue(ask("long", none), block(1), ack(2), ack(30000), silent, ack(1), block(2)),
		counts: want{transfers: transfers{transfer.FutureACK: 2}},
	},
	{
		name: "ACK 1 to an OACK is ignored",
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Blksize, Blksize: 512}), oack("blksize\x00512\x00"), ack(1), silent, ack(0),
			block(1),
		),
		counts: want{transfers: transfers{transfer.FutureACK: 1}},
	},
	{
		name:   "repeated last ACK is ignored",
		run:    dialogue(ask("small", none), receive(data(1, small)), ack(1), ack(1), silent, fetch("small", none, small)),
		counts: want{transfers: transfers{transfer.LateACK: 1, transfer.Finished: 2}},
	},
	{
		name:   "ERROR in the middle ends the transfer",
		run:    dialogue(ask("long", none), block(1), abort(tftp.CodeDiskFull, "full"), silent, ack(1), silent, ack(2), refused),
		counts: want{transfers: transfers{transfer.PeerDiskFull: 1, transfer.StrangerPacket: 1, transfer.LateACK: 1}},
	},
	{
		name: "ERROR 8 to an OACK, and text without its NUL",
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Blksize, Blksize: 600}), oack("blksize\x00600\x00"), reply("\x00\x05\x00\x08no"),
			silent,
		),
		counts: want{transfers: transfers{transfer.PeerOption: 1}},
	},
	{
		name: "request for the size alone, ended by ERROR 8 or 0",
		run: func(p *peer, _ Network) {
			for _, end := range []string{"\x00\x05\x00\x08User aborted the transfer\x00", "\x00\x05\x00\x00TFTP Aborted\x00"} {
				p.ask(request("long", "octet", tftp.Options{Has: tftp.Tsize}))
				p.want(fmt.Sprintf("\x00\x06tsize\x00%d\x00", len(long)))
				p.reply([]byte(end))
				p.silence()
			}
			p.ask(request("long", "octet", tftp.Options{}))
			p.want(data(1, long[:512]))
		},
		counts: want{transfers: transfers{transfer.Probed: 2, transfer.Started: 3}},
	},
	{
		name:   "ERROR with an undefined code",
		run:    dialogue(ask("small", none), receive(data(1, small)), abort(0x1234, "what")),
		counts: want{transfers: transfers{transfer.PeerOther: 1}},
	},
	{
		name: "packets from a stranger do not disturb a transfer",
		run: func(p *peer, n Network) {
			p.ask(request("long", "octet", tftp.Options{}))
			p.want(data(1, long[:512]))
			stranger, own := p.stranger(n)
			stranger.reply([]byte(data(1, nil)))
			stranger.reply([]byte(request("small", "octet", tftp.Options{})))
			stranger.reply(tftp.AppendERROR(nil, 0, "the end"))
			stranger.silence()
			p.ack(1)
			p.want(data(2, long[512:1024]))
			p.tid, own = own, p.tid
			p.ack(2)
			p.reply(tftp.AppendERROR(nil, 0, "the end"))
			p.silence()
			p.tid = own
			p.ack(2)
			p.want(data(3, long[1024:1536]))
		},
		counts: want{events: events{fastpath.WrongTID: 6}},
		may:    []transfer.Event{transfer.StrangerPacket},
	},
	{
		name: "packet without a transfer gets ERROR 5",
		run: dialogue(
			ask("long", none), block(1), abort(tftp.CodeUndefined, "enough"), ack(2), refused, reply(data(1, nil)),
			refused, reply(request("small", "octet", tftp.Options{})), refused,
			abort(0, "never answered"), silent,
		),
		counts: want{transfers: transfers{transfer.StrangerPacket: 3, transfer.StrayError: 1, transfer.PeerUndefined: 1}},
	},
	{
		name: "ACK at the port of requests",
		run: func(p *peer, _ Network) {
			p.tid = p.server
			p.ack(7)
			p.wantError(tftp.CodeUnknownTID)
		},
		counts: want{transfers: transfers{transfer.StrangerPacket: 1}},
	},
	{
		name: "DATA, OACK and RRQ from the client of a running transfer are ignored",
		run: dialogue(
			ask("long", none), block(1), reply(data(1, long[:512])), reply("\x00\x06tsize\x000\x00"),
			reply(request("long", "octet", tftp.Options{})), silent, ack(1), block(2),
		),
		counts: want{events: events{fastpath.UnexpectedOpcode: 3}},
	},
}
