package naming

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

const (
	keptSlots  = 1024
	keptOctets = 116 // of a name, before or after; longer ones are rewritten each time
)

// KeptOctets is what a Scratch takes at most beside its own size, once it has read names by rules that rewrite.
const KeptOctets = keptSlots * int(unsafe.Sizeof(keptName{}))

// kept remembers what names were rewritten to: a fixed number, a new one in the place of an old. They are compared whole, so
// that one which hashes alike is not taken for another.
type kept struct {
	of    *Rules
	slots []keptName
}

type keptName struct {
	hash     uint64
	from, to uint8 // octets of the names; from 0: the slot is empty
	refusal  Refusal
	text     [2 * keptOctets]byte // the name asked for, and what it was rewritten to
}

// rewrite applies rules to a name. The result is valid until the next call.
func (k *kept) rewrite(r *Rules, name []byte) ([]byte, Refusal) {
	if k.of != r {
		clear(k.slots)
		k.of = r
	}
	if len(name) > keptOctets || len(name) == 0 {
		return r.rewritten(name)
	}
	if k.slots == nil {
		k.slots = make([]keptName, keptSlots)
	}
	h := xxhash.Sum64(name)
	s := &k.slots[h%keptSlots]
	if s.hash == h && int(s.from) == len(name) && string(s.text[:s.from]) == string(name) {
		return s.text[s.from : s.from+s.to], s.refusal
	}
	to, refusal := r.rewritten(name)
	if len(to) <= keptOctets {
		*s = keptName{hash: h, from: uint8(len(name)), to: uint8(len(to)), refusal: refusal}
		copy(s.text[copy(s.text[:], name):], to)
	}
	return to, refusal
}
