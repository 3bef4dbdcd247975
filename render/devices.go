package render

import "dcs/render/attr"

// Devices finds what is known of devices. A View is what is known at one moment; each
// worker takes one for a batch.
type Devices interface {
	View() View
	// Schema names the attributes of the Views' records. A later schema begins with the
	// names of an earlier one.
	Schema() *attr.Schema
}

// View looks devices up, a batch at once: what lies far apart in memory is then fetched at
// the same time. It answers each query, with values in the order of the schema. now is in nanoseconds since 1970. Values may alias the View's memory.
type View interface {
	Lookup(now int64, queries []Query)
}

// Faulter is a View whose values lie in a file that may become unreadable. Fault tells whether addr, which could not be read, is
// in it; if so, the next Lookup answers without it.
type Faulter interface {
	Fault(addr uintptr) bool
}

// Query asks for a device by its MAC address or, if there is none, by its IP address. One whose
// answer is Asking is not known yet, and may be soon: it gets no answer, so that it asks again.
type Query = attr.Query
