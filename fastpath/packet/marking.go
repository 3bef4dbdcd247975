package packet

// ecn are the bits of the octet that carry congestion notification (RFC 3168, section 5). Answers have none: nobody here
// would heed it.
const ecn = 3

// A Marking says which DSCP answers carry (RFC 2474). The zero value is DSCP 0.
type Marking struct {
	DSCP   uint8 // 0 to 63; not used with Mirror
	Mirror bool  // that of the packet that is answered
}

// TOS returns the octet of IPv4's TOS or IPv6's traffic class for answers to a packet that has such an octet itself.
func (m Marking) TOS(of uint8) uint8 {
	if m.Mirror {
		return of &^ ecn
	}
	return m.DSCP << 2
}
