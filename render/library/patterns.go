package library

import (
	"cmp"
	"math/bits"
	"slices"

	"dcs/render/match"
)

// patterns is the set of patterns of a library. It is immutable, and may be used by any number of goroutines.
//
// A table has each pattern under grams of its literals: octets that a name must contain to match, eight of them if the
// literals are that long. Of all possible grams of a pattern, those shared with the fewest others are used. A name is
// thus compared only with the few patterns whose grams it contains. If ten thousand patterns have one prefix, they are
// found by what distinguishes them.
type patterns struct {
	list   []*pattern
	always []*pattern // those without literals

	lens    []uint8 // lengths of the grams in use
	bits    []uint64
	slots   []slot
	lists   [][]*pattern
	clashes []conflict // see conflicts
	shift   uint8      // 64 minus the number of bits of an index into slots
}

// gram is up to eight octets, the last one in the highest octet of key << (64-8n).
type gram struct {
	key uint64
	n   uint8
}

type slot struct {
	gram
	list uint32 // the index of the list plus 1; 0: the slot is empty
}

func (g gram) hash() uint64 {
	h := (g.key ^ uint64(g.n)<<59) * 0x9e3779b97f4a7c15
	return (h ^ h>>29) * 0xbf58476d1ce4e5b9
}

// bitsPerSlot is the number of bits per slot of the filter in front of the slots, which keeps out most octets that are
// no gram of a pattern.
const bitsPerSlot = 8

// newPatterns makes the table for list.
func newPatterns(list []*pattern) *patterns {
	p := &patterns{list: slices.Clone(list)}
	sorted := slices.SortedStableFunc(slices.Values(list), before)

	shared := newShares(sorted)
	type entry struct {
		list uint32
		of   *pattern
	}
	under := make(map[gram]uint32, len(sorted))
	entries := make([]entry, 0, len(sorted))
	var sizes []uint32 // of the lists
	var least, set []gram
	for _, q := range sorted {
		if least, set = rarest(q.covers, shared, least, set); len(least) == 0 {
			p.always = append(p.always, q)
		}
		for _, g := range least {
			i, ok := under[g]
			if !ok {
				i = uint32(len(sizes))
				under[g] = i
				sizes = append(sizes, 0)
			}
			sizes[i]++
			entries = append(entries, entry{i, q})
		}
	}
	p.lists = make([][]*pattern, len(sizes))
	all := make([]*pattern, 0, len(entries)) // all lists
	for i, n := range sizes {
		from := len(all)
		all = all[:from+int(n)]
		p.lists[i] = all[from:from:len(all)]
	}
	for _, e := range entries {
		p.lists[e.list] = append(p.lists[e.list], e.of)
	}

	size := 64
	for p.shift = 64 - 6; size < 2*len(under); p.shift-- {
		size *= 2
	}
	p.slots, p.bits = make([]slot, size), make([]uint64, size*bitsPerSlot/64)
	for g, i := range under {
		h := g.hash()
		b := h % uint64(size*bitsPerSlot)
		p.bits[b/64] |= 1 << (b % 64)
		at := h >> p.shift
		for p.slots[at].list != 0 {
			at = (at + 1) & uint64(size-1)
		}
		p.slots[at] = slot{g, i + 1}
		if !slices.Contains(p.lens, g.n) {
			p.lens = append(p.lens, g.n)
		}
	}
	return p
}

// shares counts how often each gram occurs, by its hash: now and then two grams count as one, which only makes other grams preferable. With
// it, the table of 100,000 patterns takes 0.27 s of CPU time, with a map of their grams, three million, 0.73 s.
type shares struct {
	counts []uint32
	shift  uint8
}

// maxShares bounds the memory of shares to 16 MB.
const maxShares = 22 // bits

func newShares(list []*pattern) *shares {
	octets := 0
	for _, q := range list {
		for _, set := range q.covers {
			for _, s := range set {
				octets += len(s)
			}
		}
	}
	n := min(bits.Len(uint(octets))+1, maxShares)
	sh := &shares{make([]uint32, 1<<n), uint8(64 - n)}
	for _, q := range list {
		for _, set := range q.covers {
			for _, s := range set {
				for g := range grams(s) {
					*sh.of(g)++
				}
			}
		}
	}
	return sh
}

func (sh *shares) of(g gram) *uint32 { return &sh.counts[g.hash()>>sh.shift] }

// before orders patterns by precedence in match.
func before(a, b *pattern) int {
	return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.index, b.index))
}

// grams yields the runs of eight octets of s; s itself if it is shorter.
func grams(s string) func(yield func(gram) bool) {
	return func(yield func(gram) bool) {
		var key uint64
		for i := range len(s) {
			key = key>>8 | uint64(s[i])<<56
			if i >= 7 && !yield(gram{key, 8}) {
				return
			}
		}
		if n := len(s); 0 < n && n < 8 {
			yield(gram{key >> (64 - 8*n), uint8(n)})
		}
	}
}

// rarest returns a gram of each string of that set in covers which is the cheapest to search for; none: there is no set. A gram costs a
// match for each pattern that shares it, and a short one often occurs by chance. best and room are memory to use, and to be passed again.
func rarest(covers [][]string, shared *shares, best, room []gram) (least, rest []gram) {
	chance := [9]uint32{1: 64, 2: 16, 3: 4, 4: 1}
	best = best[:0]
	bestCost := uint32(0)
	for _, set := range covers {
		cost := uint32(0)
		out := room[:0]
		for _, s := range set {
			var least gram
			leastCost := uint32(0)
			for g := range grams(s) {
				if c := *shared.of(g) + chance[g.n]; least.n == 0 || c < leastCost {
					least, leastCost = g, c
				}
			}
			cost += leastCost
			if !slices.Contains(out, least) {
				out = append(out, least)
			}
		}
		if room = out; len(best) == 0 || cost < bestCost {
			best, room, bestCost = out, best, cost
		}
	}
	return best, room
}

// match returns the pattern of the highest priority that matches name, as regexp.Match does, and another matching
// pattern of that priority, if there is one: name is then ambiguous. Of several, it returns those with the lowest
// index. It does not allocate.
func (p *patterns) match(name []byte, sr *search) (best, rival *pattern) {
	best, rival = sr.try(p.always, name, nil, nil)
	if len(p.lens) == 0 {
		return best, rival
	}
	// Grams that a name repeats need not be tried again. With more lists than fit here, some are tried again, which
	// only takes time.
	var seen [32]uint32
	met := 0
	filter := uint64(len(p.bits)*64 - 1)
	key := uint64(markStart[0]) << 56
	for i := 0; i <= len(name); i++ {
		c := markEnd[0]
		if i < len(name) {
			c = lower(name[i])
		}
		key = key>>8 | uint64(c)<<56
		for _, n := range p.lens {
			g := gram{key >> ((64 - 8*n) & 63), n}
			h := g.hash()
			if b := h & filter; p.bits[b/64]&(1<<(b%64)) == 0 {
				continue
			}
			list := p.find(g, h)
			if list == 0 || slices.Contains(seen[:min(met, len(seen))], list) {
				continue
			}
			seen[met%len(seen)] = list
			met++
			best, rival = sr.try(p.lists[list-1], name, best, rival)
		}
	}
	return best, rival
}

// find returns the index of g's list plus 1; 0: there is none.
func (p *patterns) find(g gram, h uint64) uint32 {
	mask := uint64(len(p.slots) - 1)
	for at := h >> p.shift & mask; ; at = (at + 1) & mask {
		if s := &p.slots[at]; s.list == 0 || s.gram == g {
			return s.list
		}
	}
}

// search is the memory that matching takes. It must not be shared between goroutines.
type search struct {
	match.Scratch
	best []int // where the best pattern and its groups match, as by regexp.FindSubmatchIndex
	at   []int
}

// try matches name against a list in the order of before, given the previous matches.
func (sr *search) try(list []*pattern, name []byte, best, rival *pattern) (*pattern, *pattern) {
	for _, q := range list {
		if rival != nil && before(q, rival) >= 0 || best != nil && q.priority < best.priority {
			break
		}
		if q == best {
			continue
		}
		at := q.find(sr.at, name, &sr.Scratch)
		if at == nil {
			continue
		}
		if sr.at = at; best == nil || q.priority > best.priority || before(q, best) < 0 {
			sr.best, sr.at = sr.at, sr.best
		}
		switch {
		case best == nil || q.priority > best.priority:
			best, rival = q, nil
		case before(q, best) < 0:
			best, rival = q, best
		default:
			rival = q
		}
	}
	return best, rival
}
