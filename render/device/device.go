// Package device defines the requester of a file and the outcome of a request. It is the only package that both
// fastpath and render import; it imports neither.
package device

import "net/netip"

// A Requester is the device that requests a file, and the file's name.
type Requester struct {
	Name   []byte     // requested file name; generally valid only during a call
	Client netip.Addr // the device's IP address, or the packet's source address if nothing better is known
	MAC    MAC        // the device's MAC address; zero: unknown
}

// An Outcome is the result of a request. Name and Value are valid during the call to which it is passed.
type Outcome struct {
	Requester

	Time        int64  // nanoseconds since 1970
	Truncated   bool   // Name is only the beginning of the requested name
	Size        int    // of the file, in octets; 0: none
	Err         error  // why there is no file, or why it was not delivered; nil: success
	Reason      string // kind of Err in metrics and logs; "": none
	Value       []byte // cause: an attribute's value, another device's address, progress of a transfer; may be empty
	Undelivered bool   // the file was rendered, but its transfer failed
	Suppressed  uint64 // number of outcomes with this Reason not reported since the previous one
}
