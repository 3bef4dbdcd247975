package render

const (
	unknownSlots = 4096
	unknownBytes = 55 // maximum length; longer names are looked up each time
)

// unknownNames is a cache of unknown names. It has a fixed number of slots; a new name replaces the one in its slot. Names are compared in
// full, so a hash collision does no harm.
type unknownNames struct{ slots []unknownName }

type unknownName struct {
	hash uint64
	n    uint8 // octets of name; 0: empty
	name [unknownBytes]byte
}

func (u *unknownNames) clear() { clear(u.slots) }

func (u *unknownNames) has(h uint64, name []byte) bool {
	if u.slots == nil {
		return false
	}
	s := &u.slots[h%unknownSlots]
	return s.hash == h && s.n != 0 && string(s.name[:s.n]) == string(name)
}

func (u *unknownNames) add(h uint64, name []byte) {
	if len(name) > unknownBytes {
		return
	}
	if u.slots == nil {
		u.slots = make([]unknownName, unknownSlots)
	}
	s := &u.slots[h%unknownSlots]
	s.hash, s.n = h, uint8(copy(s.name[:], name))
}
