package render

import "dcs/render/attr"

// Devices looks devices up. A View is a snapshot; a worker takes one for each batch.
type Devices interface {
	View() View
	// Schema names the attributes of the Views' records. A later schema starts with the
	// names of an earlier one.
	Schema() *attr.Schema
}

// View looks up a batch of devices at once, so that memory accesses overlap. It answers each query, with values in the order of the
// schema; they may alias the View's memory. now is in nanoseconds since 1970.
type View interface {
	Lookup(now int64, queries []Query)
}

// Faulter is a View whose values are in a mapped file, which may become unreadable. Fault reports whether addr, which could not be read, is
// in that file; the next Lookup then answers without it.
type Faulter interface {
	Fault(addr uintptr) bool
}

// Query looks up a device by its MAC address or, without one, by its IP address. If Asking is set in the answer, the device is being looked
// up in its source: the request stays unanswered, and the modem retries.
type Query = attr.Query
