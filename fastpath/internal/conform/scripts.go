package conform

import (
	"fmt"
	"slices"
	"strings"

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

// ignored holds packets that are counted and not answered.
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

// answers holds options of requests and the OACKs they must get (RFC 2347, 2348, 2349, 7440).
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
	return slices.Concat(all, requests, replies, resending, limits, leaving)
}
