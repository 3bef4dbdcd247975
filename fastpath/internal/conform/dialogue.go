package conform

import "dcs/fastpath/tftp"

// A step is an action of the client, or a packet that it expects.
type step func(*peer)

// dialogue returns a script that runs steps in order. Failures report the number of the step, from 1.
func dialogue(steps ...step) func(*peer, Network) {
	return func(p *peer, _ Network) {
		for i, s := range steps {
			p.step = i + 1
			s(p)
		}
	}
}

// Options of a request: none, or the size.
var (
	none  = tftp.Options{}
	tsize = tftp.Options{Has: tftp.Tsize}
)

// ask requests a file in mode octet.
func ask(name string, o tftp.Options) step { return send(request(name, "octet", o)) }

// send sends a packet to the request port; reply sends one to the source of the last packet.
func send(packet string) step  { return func(p *peer) { p.ask(packet) } }
func reply(packet string) step { return func(p *peer) { p.reply([]byte(packet)) } }
func ack(block uint16) step    { return func(p *peer) { p.ack(block) } }

// abort replies with an ERROR.
func abort(code tftp.Code, text string) step {
	return reply(string(tftp.AppendERROR(nil, code, text)))
}

// receive expects exactly that packet.
func receive(packet string) step { return func(p *peer) { p.want(packet) } }

// oack expects an OACK with these options in wire format.
func oack(options string) step { return receive("\x00\x06" + options) }

// block expects a block of the file "long", in blocks of 512 octets.
func block(n int) step { return receive(data(uint16(n), long[(n-1)*512:min(n*512, len(long))])) }

// refused expects the ERROR for an unknown transfer.
func refused(p *peer) { p.wantError(tftp.CodeUnknownTID) }

// fetch gets a whole file in mode octet.
func fetch(name string, o tftp.Options, body []byte) step {
	return func(p *peer) { p.fetch(name, "octet", o, body) }
}

// fetchPattern gets a whole file of n octets, generated on demand.
func fetchPattern(name string, o tftp.Options, n int) func(*peer, Network) {
	return func(p *peer, _ Network) { p.fetch(name, "octet", o, Pattern(n)) }
}

// silent fails if a packet arrives.
func silent(p *peer) { p.silence() }
