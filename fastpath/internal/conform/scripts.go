package conform

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"dcs/fastpath"
	"dcs/fastpath/tftp"
	"dcs/fastpath/transfer"
)

type (
	events    = map[fastpath.Event]uint64
	transfers = map[transfer.Event]uint64
)

// A refusal is a request that is answered with an ERROR and counted.
type refusal struct {
	name, packet string
	code         tftp.Code
	event        fastpath.Event
}

var refusals = []refusal{
	{"unknown name", "\x00\x01nobody\x00octet\x00", tftp.CodeNotFound, fastpath.NotFound},
	{"unknown name, for its case", "\x00\x01SMALL\x00octet\x00", tftp.CodeNotFound, fastpath.NotFound},
	{"denied", "\x00\x01denied\x00octet\x00", tftp.CodeAccess, fastpath.Denied},
	{"broken", "\x00\x01broken\x00octet\x00", tftp.CodeUndefined, fastpath.RenderFailed},
	{"write request", "\x00\x02small\x00octet\x00", tftp.CodeAccess, fastpath.WriteRequest},
	{"no name", "\x00\x01\x00octet\x00", tftp.CodeIllegal, fastpath.NameEmpty},
	{"name not terminated", "\x00\x01small", tftp.CodeIllegal, fastpath.NameUnterminated},
	{"nothing but the opcode", "\x00\x01", tftp.CodeIllegal, fastpath.NameUnterminated},
	{"name too long", "\x00\x01" + strings.Repeat("n", 513) + "\x00octet\x00", tftp.CodeIllegal, fastpath.NameLong},
	{"no mode", "\x00\x01small\x00", tftp.CodeIllegal, fastpath.ModeUnknown},
	{"mode mail", "\x00\x01small\x00mail\x00", tftp.CodeIllegal, fastpath.ModeUnknown},
	{"two modems", "\x00\x01small\x00octet\x00hwaddr\x000a0102030405\x00hwaddr\x000a0102030406\x00", tftp.CodeOption, fastpath.OptionProxy},
	{"a hidden modem", "\x00\x01small\x00octet\x00\x00\x00hwaddr\x000a0102030405\x00", tftp.CodeOption, fastpath.OptionProxy},
	{"request too long", "\x00\x01small\x00octet\x00a\x00" + strings.Repeat("b", 1020) + "\x00", tftp.CodeIllegal, fastpath.TooLong},
}

// ignored are packets that are counted and not answered.
var ignored = []struct {
	name, packet string
	event        fastpath.Event
}{
	{"empty", "", fastpath.Short},
	{"one octet", "\x00", fastpath.Short},
	{"ACK without block", "\x00\x04\x00", fastpath.Short},
	{"ERROR without code", "\x00\x05", fastpath.Short},
	{"opcode 0", "\x00\x00small\x00octet\x00", fastpath.UnknownOpcode},
	{"opcode 9", "\x00\x09small\x00octet\x00", fastpath.UnknownOpcode},
	{"opcode 256", "\x01\x00small\x00octet\x00", fastpath.UnknownOpcode},
	{"longer than a buffer", "\x00\x01small\x00octet\x00a\x00" + strings.Repeat("b", 3000) + "\x00", fastpath.Truncated},
	{"not rendered yet", "\x00\x01soon\x00octet\x00", fastpath.NotYet},
}

// answers are the options that a request has, and the OACK that it gets (RFC 2347, 2348, 2349, 7440).
var answers = []struct {
	name, options, oack string
	bad                 bool
}{
	{"blksize", "blksize\x001428\x00", "blksize\x001428\x00", false},
	{"blksize at its least", "blksize\x008\x00", "blksize\x008\x00", false},
	{"blksize in capitals", "BlkSize\x001428\x00", "blksize\x001428\x00", false},
	{"tsize", "tsize\x000\x00", "tsize\x00400\x00", false},
	{"timeout", "timeout\x0017\x00", "timeout\x0017\x00", false},
	{"windowsize", "windowsize\x004\x00", "windowsize\x004\x00", false},
	{"windowsize above the limit", "windowsize\x0065535\x00", "windowsize\x0064\x00", false},
	{"all of them", "windowsize\x004\x00tsize\x000\x00blksize\x00512\x00timeout\x001\x00", "blksize\x00512\x00timeout\x001\x00tsize\x00400\x00windowsize\x004\x00", false},
	{"unknown beside known", "multicast\x00\x00tsize\x000\x00x\x00y\x00", "tsize\x00400\x00", false},
	{"bad beside known", "blksize\x007\x00tsize\x000\x00", "tsize\x00400\x00", true},
	{"unknown only", "multicast\x00\x00", "", false},
	{"bad only", "timeout\x000\x00", "", true},
	{"one twice: the last value", "blksize\x008\x00blksize\x001428\x00", "blksize\x001428\x00", false},
	{"one twice: the last valid value", "blksize\x001428\x00blksize\x007\x00", "blksize\x001428\x00", false},
	{"many unknown", strings.Repeat("a\x00b\x00", 100) + "tsize\x000\x00", "tsize\x00400\x00", false},
	{"a name without a value", "tsize\x000\x00blksize\x00", "tsize\x00400\x00", false},
	{"a name without its NUL", "tsize\x000\x00blksize", "tsize\x00400\x00", false},
	{"a value without its NUL", "tsize\x000\x00blksize\x001428", "tsize\x00400\x00", false},
	{"garbage behind two NULs", "tsize\x000\x00\x00\xff\xff", "tsize\x00400\x00", false},
	{"padding alone", "\x00\x00\x00", "", false},
	{"of the CMTS", "hwaddr\x000a:01:02:03:04:05\x00netaddr\x0010.1.2.3\x00", "", false},
}

func scripts() []script {
	var all []script
	add := func(s script) { all = append(all, s) }

	for _, size := range []int{0, 1, 511, 512, 513, 1024, 20000} {
		for _, o := range []tftp.Options{
			{},
			{Has: tftp.Tsize},
			{Has: tftp.Blksize, Blksize: 8},
			{Has: tftp.Blksize | tftp.Windowsize, Blksize: 512, Windowsize: 2},
			{Has: tftp.Blksize | tftp.Tsize | tftp.Windowsize, Blksize: 1024, Windowsize: 64},
			{Has: tftp.Blksize, Blksize: 9000},
		} {
			add(script{
				name: fmt.Sprintf("fetch %d octets, options %d blksize %d windowsize %d", size, o.Has, o.Blksize, o.Windowsize),
				run: func(p *peer, _ Network) {
					p.fetch(fmt.Sprint(size), "octet", o, Pattern(size))
				},
				counts: want{transfers: transfers{transfer.Started: 1, transfer.Finished: 1}},
			})
		}
	}
	for _, r := range refusals {
		add(script{
			name: "refused: " + r.name,
			run: func(p *peer, _ Network) {
				p.ask(r.packet)
				p.wantError(r.code)
				p.silence()
			},
			counts: want{events: events{r.event: 1}, transfers: transfers{transfer.Started: 0}},
		})
	}
	for _, r := range ignored {
		add(script{
			name: "ignored: " + r.name,
			run: func(p *peer, _ Network) {
				p.ask(r.packet)
				p.silence()
			},
			counts: want{events: events{r.event: 1}, transfers: transfers{transfer.Started: 0}},
		})
		if r.event == fastpath.NotYet || r.event == fastpath.Truncated {
			continue
		}
		add(script{
			name: "in the middle: " + r.name,
			run: func(p *peer, _ Network) {
				p.ask(request("long", "octet", tftp.Options{}))
				p.want(data(1, long[:512]))
				p.reply([]byte(r.packet))
				p.silence()
				p.ack(1)
				p.want(data(2, long[512:1024]))
			},
			counts: want{events: events{r.event: 1}},
		})
	}
	for _, a := range answers {
		add(script{
			name: "option: " + a.name,
			run: func(p *peer, _ Network) {
				p.ask("\x00\x01small\x00octet\x00" + a.options)
				if a.oack == "" {
					p.want(data(1, small))
				} else {
					p.want("\x00\x06" + a.oack)
					p.ack(0)
					blksize := 512
					switch {
					case strings.Contains(a.oack, "blksize\x008\x00"):
						blksize = 8
					case strings.Contains(a.oack, "blksize\x001428\x00"):
						blksize = 1428
					}
					p.want(data(1, small[:min(blksize, len(small))]))
				}
			},
			counts: want{events: events{fastpath.OptionBad: map[bool]uint64{true: 1}[a.bad]}},
		})
	}
	all = append(all, behaviour...)
	all = append(all, leaving...)
	return all
}

// behaviour is what a transfer does in the cases that go wrong.
var behaviour = []script{
	{
		name: "netascii",
		run: func(p *peer, _ Network) {
			// RFC 764: LF leaves as CR LF, CR as CR NUL.
			want := bytes.ReplaceAll(bytes.ReplaceAll(text, []byte("\r"), []byte("\r\x00")), []byte("\n"), []byte("\r\n"))
			p.fetch("text", "NetASCII", tftp.Options{}, want)
			p.fetch("text", "netascii", tftp.Options{Has: tftp.Blksize | tftp.Windowsize, Blksize: 9, Windowsize: 5}, want)
		},
		counts: want{transfers: transfers{transfer.Finished: 2}},
	},
	{
		name: "netascii, window sent again",
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
		name: "the case of names counts",
		run:  dialogue(fetch("Small", none, []byte("capital"))),
	},
	{
		name: "repeated request is answered again, and starts nothing",
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
			time.Sleep(350 * time.Millisecond) // two resends would have gone unanswered
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
			send("\x00\x01long"),              // cut
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
		name:   "ACK of the future is passed over",
		run:    dialogue(ask("long", none), block(1), ack(2), ack(30000), silent, ack(1), block(2)),
		counts: want{transfers: transfers{transfer.FutureACK: 2}},
	},
	{
		name: "ACK 1 to an OACK is passed over",
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Blksize, Blksize: 512}), oack("blksize\x00512\x00"), ack(1), silent, ack(0),
			block(1),
		),
		counts: want{transfers: transfers{transfer.FutureACK: 1}},
	},
	{
		name:   "repeated last ACK is not told that its TID is unknown",
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
		name: "probe for the size, which ends by ERROR 8 or 0",
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
		name:   "ERROR with a code that nobody has defined",
		run:    dialogue(ask("small", none), receive(data(1, small)), abort(0x1234, "what")),
		counts: want{transfers: transfers{transfer.PeerOther: 1}},
	},
	{
		name: "a stranger at another's port is passed over, and the transfer is unharmed",
		run: func(p *peer, n Network) {
			p.ask(request("long", "octet", tftp.Options{}))
			p.want(data(1, long[:512]))
			var stranger *peer
			for stranger == nil || stranger.tid == p.tid { // one of many may have the same
				stranger = &peer{t: p.t, c: n.Client(p.t), server: p.server}
				stranger.fetch("small", "octet", tftp.Options{}, small)
			}
			own := stranger.tid
			stranger.tid = p.tid
			stranger.ack(1)
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
	},
	{
		name: "who has no transfer at its port gets ERROR 5",
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
		name: "DATA, OACK and RRQ from the client of a running transfer are passed over",
		run: dialogue(
			ask("long", none), block(1), reply(data(1, long[:512])), reply("\x00\x06tsize\x000\x00"),
			reply(request("long", "octet", tftp.Options{})), silent, ack(1), block(2),
		),
		counts: want{events: events{fastpath.UnexpectedOpcode: 3}},
	},
	{
		name: "lost packets are sent again, ever more slowly, and not for ever",
		setup: func(s *Setup) {
			s.Server.Worker.Transfer.Timeout = 100 * time.Millisecond
			s.Server.Worker.Transfer.MaxTimeout = 200 * time.Millisecond
			s.Server.Worker.Transfer.Retries = 3
		},
		run: func(p *peer, _ Network) {
			// Not before the waits are over; how long after depends on how busy the machine is.
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
		name: "who acknowledges nothing gets the first packet again once, whatever timeout it has asked for",
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
		name: "after a time-out one block of the window is sent again",
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
		name: "lost OACK is sent again",
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
		name: "windowsize: sent again from the gap",
		run: dialogue(
			ask("long", tftp.Options{Has: tftp.Windowsize, Windowsize: 4}), oack("windowsize\x004\x00"), ack(0),
			block(1), block(2), block(3), block(4), ack(2), block(3), block(4), block(5), block(6), silent, ack(6),
		),
		counts: want{transfers: transfers{transfer.WindowResent: 1, transfer.Finished: 1}},
	},
	{
		name: "windowsize: lost first block is asked for by a repeated ACK, once",
		run: func(p *peer, _ Network) {
			p.ask(request("long", "octet", tftp.Options{Has: tftp.Windowsize, Windowsize: 2}))
			p.want("\x00\x06windowsize\x002\x00")
			p.ack(0)
			p.want(data(1, long[:512]))
			p.want(data(2, long[512:1024]))
			p.ack(2)
			p.want(data(3, long[1024:1536]))
			p.want(data(4, long[1536:2048]))
			time.Sleep(quiet)
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
	{
		name:  "table full: who has waited the longest without a word gives its place, who has acknowledged keeps it",
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
		name:  "no memory for a body: the request is passed over, unless somebody holds some without a word",
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
			goOn(ask("long", long)) // has the memory of the one before
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
