package conform

import "dcs/fastpath/tftp"

// A step is what a client does, or what it receives.
type step func(*peer)

// dialogue returns a script that is a sequence of steps. Failures name the step by its number, from 1.
func dialogue(steps ...step) func(*peer, Network) {
	return func(p *peer, _ Network) {
		for i, s := range steps {
			p.step = i + 1
			s(p)
		}
	}
}

// none are no options; tsize asks for the size.
var (
	none  = tftp.Options{}
	tsize = tftp.Options{Has: tftp.Tsize}
)

// ask requests a file in mode octet.
func ask(name string, o tftp.Options) step { return send(request(name, "octet", o)) }

// send sends a packet to the port of requests; reply sends one to where the last packet came from.
func send(packet string) step  { return func(p *peer) { p.ask(packet) } }
func reply(packet string) step { return func(p *peer) { p.reply([]byte(packet)) } }
func ack(block uint16) step    { return func(p *peer) { p.ack(block) } }

// abort replies with an ERROR.
func abort(code tftp.Code, text string) step {
	return reply(string(tftp.AppendERROR(nil, code, text)))
}

// receive waits for exactly that packet.
func receive(packet string) step { return func(p *peer) { p.want(packet) } }

// oack waits for an OACK of these options, as they are on the wire.
func oack(options string) step { return receive("\x00\x06" + options) }

// block waits for a block of the file "long" in blocks of 512 octets.
func block(n int) step { return receive(data(uint16(n), long[(n-1)*512:min(n*512, len(long))])) }

// refused waits for the ERROR that an unknown transfer gets.
func refused(p *peer) { p.wantError(tftp.CodeUnknownTID) }

// fetch gets a whole file in mode octet.
func fetch(name string, o tftp.Options, body []byte) step {
	return func(p *peer) { p.fetch(name, "octet", o, body) }
}

// fetchPattern gets a whole file of n octets, made as it is needed.
func fetchPattern(name string, o tftp.Options, n int) func(*peer, Network) {
	return func(p *peer, _ Network) { p.fetch(name, "octet", o, Pattern(n)) }
}

// silent fails if a packet comes.
func silent(p *peer) { p.silence() }
