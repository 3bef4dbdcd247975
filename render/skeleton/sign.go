package skeleton

import (
	"sync/atomic"
	"unsafe"

	"dcs/render/md5x"
	"dcs/render/mic"
)

// keyed is what a skeleton caches for one secret.
type keyed struct {
	secret *mic.Secret
	state  md5x.State // HMAC-MD5 over whole blocks of the skeleton's prefix
	skip   int        // octets of the CMTS MIC's text that state has absorbed
	file   []byte     // the signed file of a static skeleton
}

// maxKeyed is the number of secrets that a skeleton caches states for: those in the first slots of a keyring. Under the
// others, a file is hashed from its beginning.
const maxKeyed = 64

// under returns what the skeleton caches for secret, computing it the first time; nil if it caches nothing for it,
// because its slot is too high or there is no room.
func (s *Skeleton) under(secret *mic.Secret) *keyed {
	place := &s.keyed
	if slot := secret.Slot(); slot > 0 {
		if slot >= maxKeyed {
			return nil
		}
		others := s.others.Load()
		if others == nil {
			if !s.spend(int(unsafe.Sizeof(*others))) {
				return nil
			}
			others = new([maxKeyed - 1]atomic.Pointer[keyed])
			if !s.others.CompareAndSwap(nil, others) {
				others = s.others.Load()
			}
		}
		place = &others[slot-1]
	}
	k := place.Load()
	if k != nil && k.secret.Same(secret) {
		return k
	}
	if k == nil && s.remembers.Swap(true) && !s.spend(s.keyedOctets()) {
		return nil // Octets includes only the first
	}
	k = &keyed{secret: secret, state: secret.Inner()}
	rest := k.state.Blocks(s.prefix)
	k.skip = len(s.prefix) - len(rest)
	if s.Static() {
		k.file = s.signStatic(secret)
	}
	place.Store(k) // of two concurrent stores, one remains
	return k
}

func (s *Skeleton) signStatic(secret *mic.Secret) []byte {
	var sc Scratch
	file, fault := s.Build(nil, &Values{}, &sc)
	if fault != nil || !s.Signed() {
		return file
	}
	// mic.Sign cannot fail here: whatever it refuses was refused when the skeleton was made.
	file, _ = mic.Sign(file[:len(s.base)], secret)
	return file
}

// File returns the whole file of a static skeleton under secret. It belongs to the skeleton and must not be modified.
// It is nil if the skeleton does not cache files for that secret: then use Build and Sign, as for a file that is not
// static.
func (s *Skeleton) File(secret *mic.Secret) []byte {
	if !s.Signed() {
		// It is the same under all secrets.
		k := s.keyed.Load()
		if k == nil {
			k = &keyed{secret: secret, file: s.signStatic(secret)}
			s.keyed.Store(k)
		}
		return k.file
	}
	if k := s.under(secret); k != nil {
		return k.file
	}
	return nil
}

// covered appends the octets of file that the CMTS MIC covers, in its order, without the first skip octets.
func (s *Skeleton) covered(dst, file []byte, skip int, sc *Scratch) []byte {
	for i := range s.order {
		t := &s.order[i]
		piece := file[sc.at(t.start):sc.at(t.end)]
		if skip >= len(piece) {
			skip -= len(piece)
			continue
		}
		dst = append(dst, piece[skip:]...)
		skip = 0
	}
	return dst
}

// Lanes returns what remains to be computed for the MICs of a file that Build has just made with sc: the CM MIC and
// then, once its digest has been copied to late, the CMTS MIC. Both write into file. The lanes are valid until
// sc.Reset.
func (s *Skeleton) Lanes(file []byte, secret *mic.Secret, sc *Scratch) (cm, cmts md5x.Lane, late []byte) {
	body := sc.at(place{len(s.base), s.vary})
	digest := (*[md5x.Size]byte)(file[body+2:])
	cm = md5x.Lane{State: s.cm, Tail: file[s.cm.N:body], Out: digest}

	cmts = md5x.Lane{Outer: secret.Outer(), Out: (*[md5x.Size]byte)(file[body+20:])}
	skip := 0
	if k := s.under(secret); k != nil {
		cmts.State, skip = k.state, k.skip
	} else {
		cmts.State = secret.Inner()
	}
	start := len(sc.gather)
	sc.gather = s.covered(sc.gather, file, skip, sc)
	tail := sc.gather[start:]
	// In the order, TLV 6 is at its place, with its octets still blank.
	after := s.afterMIC(sc)
	late = tail[len(tail)-after-md5x.Size : len(tail)-after]
	cmts.Tail = tail
	return cm, cmts, late
}

// afterMIC returns the number of octets that follow TLV 6 in what the CMTS MIC covers.
func (s *Skeleton) afterMIC(sc *Scratch) int {
	n := 0
	for i := len(s.order) - 1; i >= 0 && s.order[i].code != 6; i-- {
		n += sc.at(s.order[i].end) - sc.at(s.order[i].start)
	}
	return n
}

// MaxScratch is the maximum memory in octets that a Scratch retains from one batch to the next. What a larger batch
// takes is left to the garbage collector.
const MaxScratch = 1 << 20

// Reset discards the lanes that Lanes has returned.
func (sc *Scratch) Reset() {
	if sc.gather = sc.gather[:0]; cap(sc.gather) > MaxScratch {
		sc.gather = nil
	}
}

// Sign computes the MICs of a file that Build has just made with sc, and returns the file. A batch of files uses Lanes
// instead, except for files that are Alone. The Fault may be [Unfit].
func (s *Skeleton) Sign(file []byte, secret *mic.Secret, sc *Scratch) ([]byte, *Fault) {
	switch {
	case !s.Signed():
	case s.ext:
		signed, err := mic.Sign(file, secret)
		switch {
		case err != nil && s.named:
			return nil, Unfit
		case err != nil:
			return nil, s.fail(err)
		}
		return signed, nil
	default:
		cm, cmts, late := s.Lanes(file, secret, sc)
		sc.batch.Sum([]md5x.Lane{cm})
		copy(late, cm.Out[:])
		sc.batch.Sum([]md5x.Lane{cmts})
		sc.Reset()
	}
	return file, nil
}

// Alone reports whether the file must be signed by Sign, because its extended CMTS MIC precedes the two other MICs.
func (s *Skeleton) Alone() bool { return s.ext }

// freeze computes what depends neither on a request nor on a secret.
func (s *Skeleton) freeze() {
	first := len(s.base)
	for i := range s.slots {
		first = min(first, s.slots[i].off)
	}
	for i := range s.fixups {
		first = min(first, s.fixups[i].at.off)
	}
	s.cm = md5x.New()
	s.cm.Blocks(s.base[:first])

	end := place{len(s.base), s.vary}
	digest := topTLV{code: 6, start: end, end: place{end.off + 2 + md5x.Size, end.n}, change: end.off + 2}
	s.order = make([]topTLV, 0, len(s.tops)+1)
	for _, code := range mic.Order {
		if code == 6 {
			s.order = append(s.order, digest)
			continue
		}
		for _, t := range s.tops {
			if t.code == code {
				s.order = append(s.order, t)
			}
		}
	}
	for i := range s.order {
		t := &s.order[i]
		if t.change >= 0 {
			s.prefix = append(s.prefix, s.base[t.start.off:min(t.change, len(s.base))]...)
			if t.code == 6 {
				s.prefix = append(s.prefix, 6, md5x.Size)
			}
			break
		}
		s.prefix = append(s.prefix, s.base[t.start.off:t.end.off]...)
	}
}
