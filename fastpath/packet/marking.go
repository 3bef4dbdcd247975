package packet

// ecn is the congestion notification bits of the octet (RFC 3168, section 5). Answers clear them, as the server does
// not react to congestion marks.
const ecn = 3

// A Marking is the DSCP of answers (RFC 2474). The zero value is DSCP 0.
type Marking struct {
	DSCP   uint8 // 0 to 63; not used with Mirror
	Mirror bool  // use the DSCP of the packet that is answered
}

// TOS returns the IPv4 TOS or IPv6 traffic class octet for answers to a packet with that octet.
func (m Marking) TOS(of uint8) uint8 {
	if m.Mirror {
		return of &^ ecn
	}
	return m.DSCP << 2
}
