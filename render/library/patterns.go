package library

import (
	"cmp"
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

	shared := map[gram]int{}
	for _, q := range sorted {
		for _, set := range q.covers {
			for _, s := range set {
				for g := range grams(s) {
					shared[g]++
				}
			}
		}
	}
	under := map[gram]uint32{}
	for _, q := range sorted {
		set := rarest(q.covers, shared)
		if set == nil {
			p.always = append(p.always, q)
		}
		for _, g := range set {
			i, ok := under[g]
			if !ok {
				i = uint32(len(p.lists))
				under[g] = i
				p.lists = append(p.lists, nil)
			}
			if l := p.lists[i]; len(l) == 0 || l[len(l)-1] != q {
				p.lists[i] = append(l, q)
			}
		}
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

// rarest returns a gram of each string of that set in covers which is the cheapest to search for. A gram costs a match
// for each pattern that shares it, and a short one often occurs by chance.
func rarest(covers [][]string, shared map[gram]int) []gram {
	chance := [9]int{1: 64, 2: 16, 3: 4, 4: 1}
	var best []gram
	bestCost := 0
	for _, set := range covers {
		cost := 0
		out := make([]gram, 0, len(set))
		for _, s := range set {
			var least gram
			for g := range grams(s) {
				if least.n == 0 || shared[g]+chance[g.n] < shared[least]+chance[least.n] {
					least = g
				}
			}
			cost += shared[least] + chance[least.n]
			if !slices.Contains(out, least) {
				out = append(out, least)
			}
		}
		if best == nil || cost < bestCost {
			best, bestCost = out, cost
		}
	}
	return best
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
