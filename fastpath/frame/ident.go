package frame

// unfragmented is the longest payload of UDP that every host takes in one packet, octets: a block of 512 and its header
// (RFC 1122, section 3.3.2, asks for packets of 576).
const unfragmented = 4 + 512

// An Ident is the identification that an IPv4 sender gave out last. Senders begin with different ones, so that their packets
// to one host are not taken for parts of one another.
type Ident uint16

// Next returns the identification of a packet with so many octets of payload. Short packets pass everywhere: they get none,
// and leave with DF. Others may have to be fragmented on their way (RFC 6864, section 4.1).
func (id *Ident) Next(payload int) uint16 {
	if payload <= unfragmented {
		return 0
	}
	if *id++; *id == 0 {
		*id = 1
	}
	return uint16(*id)
}
