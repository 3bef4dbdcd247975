package library

import (
	"encoding/binary"
	resyntax "regexp/syntax"
	"slices"
	"unicode"
	"unicode/utf8"
)

// alphabet divides the characters of names into classes, each of characters that some programs do not distinguish.
// U+0000 is in no class: a name has no NUL.
type alphabet struct {
	sets    map[string]int // the number of a set of characters, by its ranges
	single  map[rune]int   // the same for a set of one character
	ranges  [][]rune
	members [][]uint16 // by set, its classes

	text  []string // by class, the octets of the character that represents it in a witness
	rune  []rune   // the same character
	heavy bool     // some class has a character of fewer octets than its text
}

var (
	wordRanges = []rune{'0', '9', 'A', 'Z', '_', '_', 'a', 'z'}
	lineRanges = []rune{'\n', '\n'}
)

// set returns the number of the set of characters that inst matches.
func (a *alphabet) set(inst *resyntax.Inst) int {
	switch inst.Op {
	case resyntax.InstRuneAny:
		return a.add([]rune{0, unicode.MaxRune})
	case resyntax.InstRuneAnyNotNL:
		return a.add([]rune{0, '\n' - 1, '\n' + 1, unicode.MaxRune})
	}
	if len(inst.Rune) != 1 {
		return a.add(inst.Rune)
	}
	r := inst.Rune[0]
	if resyntax.Flags(inst.Arg)&resyntax.FoldCase == 0 {
		n, ok := a.single[r]
		if !ok {
			n = a.add([]rune{r, r})
			a.single[r] = n
		}
		return n
	}
	ranges := []rune{r, r}
	for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
		ranges = append(ranges, f, f)
	}
	return a.add(ranges)
}

func (a *alphabet) add(ranges []rune) int {
	key := string(ranges)
	for _, r := range ranges {
		if !utf8.ValidRune(r) {
			key += "\xff" + string(binary.LittleEndian.AppendUint32(nil, uint32(r)))
		}
	}
	n, ok := a.sets[key]
	if !ok {
		n = len(a.ranges)
		a.sets[key] = n
		a.ranges = append(a.ranges, ranges)
	}
	return n
}

// maxClasses is the number of values of a uint16.
const maxClasses = 1 << 16

// divide makes the classes, once all sets are known. It returns the cost of that, and false if there are too many
// classes.
func (a *alphabet) divide() (cost int, ok bool) {
	cuts := []rune{1, utf8.RuneSelf, 'à', 0xd800, 0xe000, utf8.RuneError, utf8.RuneError + 1, unicode.MaxRune + 1}
	for _, rs := range a.ranges {
		for i := 0; i+1 < len(rs); i += 2 {
			cuts = append(cuts, rs[i], rs[i+1]+1)
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	words := (len(a.ranges) + 63) / 64
	cost = len(cuts) * (words + 1)
	if len(cuts) > maxClasses {
		return cost, false
	}
	in := make([]uint64, len(cuts)*words)
	for s, rs := range a.ranges {
		for i := 0; i+1 < len(rs); i += 2 {
			at, _ := slices.BinarySearch(cuts, rs[i])
			for ; cuts[at] <= rs[i+1]; at++ {
				in[at*words+s/64] |= 1 << (s % 64)
				cost++
			}
		}
	}

	byKey := map[string]int{}
	type class struct {
		best  rune
		bits  []uint64
		least int // octets of its shortest character
	}
	var classes []class
	key := make([]byte, 0, 8*words)
	for i, lo := range cuts[:len(cuts)-1] {
		if lo < 1 || 0xd800 <= lo && lo < 0xe000 {
			continue
		}
		bits := in[i*words : (i+1)*words]
		key = key[:0]
		for _, w := range bits {
			key = binary.LittleEndian.AppendUint64(key, w)
		}
		c, ok := byKey[string(key)]
		if !ok {
			c = len(classes)
			byKey[string(key)] = c
			classes = append(classes, class{best: lo, bits: bits, least: utf8.UTFMax})
		}
		hi := lo
		if lo < utf8.RuneSelf {
			hi = cuts[i+1] - 1
		}
		for r := lo; r <= hi; r++ {
			if rank(r) < rank(classes[c].best) {
				classes[c].best = r
			}
		}
		least, _ := runeWidths(lo, hi)
		classes[c].least = min(classes[c].least, least)
	}
	// Classes with ordinary characters come first, so that a search tries them first.
	slices.SortStableFunc(classes, func(x, y class) int { return rank(x.best) - rank(y.best) })
	a.members = make([][]uint16, len(a.ranges))
	for c, x := range classes {
		a.text, a.rune = append(a.text, string(x.best)), append(a.rune, x.best)
		a.heavy = a.heavy || x.least < utf8.RuneLen(x.best)
		for s := range a.ranges {
			if x.bits[s/64]&(1<<(s%64)) != 0 {
				a.members[s] = append(a.members[s], uint16(c))
			}
		}
	}
	return cost + len(classes)*len(a.ranges), true
}

// rank returns a lower value the more ordinary r is in a file name, and the fewer octets it takes.
func rank(r rune) int {
	switch {
	case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
		return 0
	case 'A' <= r && r <= 'Z', r == '-', r == '_', r == '.':
		return 1
	case ' ' < r && r < 0x7f && r != '/':
		return 2
	case r < utf8.RuneSelf:
		return 3
	case r == utf8.RuneError:
		return 13
	case unicode.IsPrint(r):
		return 2 * utf8.RuneLen(r)
	}
	return 2*utf8.RuneLen(r) + 1
}
