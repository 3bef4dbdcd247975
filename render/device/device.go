// Package device holds plain values: who asks for a file, and what became of the request. It is the one package
// that both fastpath and render import; it imports neither.
package device

import "net/netip"

// A Requester is who asks for a file, and under which name.
type Requester struct {
	Name   []byte     // the file name, as it was requested; as a rule valid during a call only
	Client netip.Addr // the device's IP address; where nothing better is known, that of the packet
	MAC    MAC        // the device's MAC address; zero: unknown
}

// An Outcome is what became of a request. Name and Value are valid during the call that it is passed to.
type Outcome struct {
	Requester

	Time        int64  // nanoseconds since 1970
	Truncated   bool   // Name is the beginning of a longer one
	Size        int    // of the file, in octets; 0: there is none
	Err         error  // why there is no file, or why it was not delivered; nil: it was rendered
	Reason      string // names the kind of Err in metrics and logs; "": none
	Value       []byte // what is at fault: an attribute's value, another device's address, how far a transfer came; may be empty
	Undelivered bool   // the file was rendered, and its transfer failed
	Suppressed  uint64 // how many outcomes with this Reason were not reported since the last
}
