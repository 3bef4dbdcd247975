package frame

// unfragmented is the longest UDP payload that every host accepts in one packet, in octets: a block of 512 and its
// header (RFC 1122, section 3.3.2, requires packets of 576).
const unfragmented = 4 + 512

// An Ident is the last identification that an IPv4 sender used. Senders start from different values, so that fragments
// of their packets to one host are not mixed up.
type Ident uint16

// Next returns the identification for a packet with a payload of so many octets. Short packets never need
// fragmentation: they get 0 and are sent with DF. Longer ones may be fragmented on the path (RFC 6864, section 4.1).
func (id *Ident) Next(payload int) uint16 {
	if payload <= unfragmented {
		return 0
	}
	if *id++; *id == 0 {
		*id = 1
	}
	return uint16(*id)
}
