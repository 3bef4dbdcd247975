package naming

import (
	"unsafe"

	"github.com/cespare/xxhash/v2"
)

const (
	cacheSlots = 1024
	cachedName = 116 // octets of a name, before or after; longer ones are rewritten each time
)

// CacheOctets is the maximum memory in octets that a [Scratch] takes beyond its own size. It is allocated when the
// first name is read with rules that rewrite.
const CacheOctets = cacheSlots * int(unsafe.Sizeof(cacheEntry{}))

// cache remembers rewritten names. It has a fixed number of slots; a new name replaces the one in its slot. Names are compared
// in full, so a hash collision does no harm.
type cache struct {
	rules   *Rules // that made the entries
	entries []cacheEntry
}

type cacheEntry struct {
	hash     uint64
	from, to uint8 // lengths of the names; from 0: the slot is empty
	refusal  Refusal
	text     [2 * cachedName]byte // the requested name, then the rewritten one
}

// rewrite applies rules to a name. The result is valid until the next call.
func (c *cache) rewrite(r *Rules, name []byte) ([]byte, Refusal) {
	if c.rules != r {
		clear(c.entries)
		c.rules = r
	}
	if len(name) > cachedName || len(name) == 0 {
		return r.rewritten(name)
	}
	if c.entries == nil {
		c.entries = make([]cacheEntry, cacheSlots)
	}
	h := xxhash.Sum64(name)
	e := &c.entries[h%cacheSlots]
	if e.hash == h && int(e.from) == len(name) && string(e.text[:e.from]) == string(name) {
		return e.text[e.from : e.from+e.to], e.refusal
	}
	to, refusal := r.rewritten(name)
	if len(to) <= cachedName {
		*e = cacheEntry{hash: h, from: uint8(len(name)), to: uint8(len(to)), refusal: refusal}
		copy(e.text[copy(e.text[:], name):], to)
	}
	return to, refusal
}
