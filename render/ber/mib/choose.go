package mib

import (
	"fmt"
	"math"
	"slices"
	"strings"
)

// Branches of the object tree, as keys.
const (
	internet    = "\x01\x03\x06\x01"            // 1.3.6.1
	enterprises = internet + "\x04\x01"         // 1.3.6.1.4.1
	cableLabs   = enterprises + "\xa3\x0b"      // 1.3.6.1.4.1.4491
	docsisIETF  = internet + "\x02\x01\x0a\x7f" // 1.3.6.1.2.1.10.127, DOCSIS before 3.0
)

// counts reports whether a row can be what its label means, whose rows are from up to, but not including, to: if the open
// encoder's modules have the label, it means what it means there, so that templates written for that encoder stay what they are.
func (x *Index) counts(row, from, to int) bool {
	if !x.t.later(row) {
		return true
	}
	for other := from; other < to; other++ {
		if !x.t.later(other) {
			return false
		}
	}
	return true
}

// branch orders the OIDs of a label, the one that is meant first.
func (x *Index) branch(row int) int {
	key := x.t.key(x.t.oidOf(row))
	switch {
	case strings.HasPrefix(key, cableLabs):
		return 0
	case strings.HasPrefix(key, internet) && !strings.HasPrefix(key, enterprises) || x.own[x.t.module(row)]:
		return 1
	}
	return 2
}

// choose returns one of the rows of a label, or -1 if the label is ambiguous or has none.
func (x *Index) choose(from, to int) int {
	if from == to {
		return -1
	}
	if x.t.oidOf(from) == x.t.oidOf(to-1) {
		return x.bestOf(from, to)
	}
	for _, m := range x.prefer {
		if row := x.inModule(from, to, m); row >= 0 {
			return row
		}
		if slices.Contains(x.absent, m) {
			return -1
		}
	}
	first := math.MaxInt
	for row := from; row < to; row++ {
		if x.counts(row, from, to) {
			first = min(first, x.branch(row))
		}
	}
	best := -1
	for row := from; row < to; row++ {
		if !x.counts(row, from, to) || x.branch(row) != first || x.superseded(row, from, to) {
			continue
		}
		if best >= 0 && x.t.oidOf(row) != x.t.oidOf(best) {
			return -1
		}
		if best < 0 || x.rank(row) < x.rank(best) {
			best = row
		}
	}
	return best
}

// superseded reports whether a newer edition of the row's module has another row of the same label; its rows are from up
// to, but not including, to.
func (x *Index) superseded(row, from, to int) bool {
	edition, module := x.t.edition(row), x.t.module(row)
	for other := from; other < to; other++ {
		if x.counts(other, from, to) && x.t.edition(other) > edition && x.t.module(other) == module {
			return true
		}
	}
	return false
}

// bestOf is best for consecutive rows.
func (x *Index) bestOf(from, to int) int {
	best := from
	for row := from + 1; row < to; row++ {
		if x.rank(row) < x.rank(best) {
			best = row
		}
	}
	return best
}

// inModule returns the row of a module: that of the open encoder's edition if there is one, else that of the newest; -1 if the
// module has none.
func (x *Index) inModule(from, to int, module string) int {
	found := -1
	for row := from; row < to; row++ {
		if x.t.module(row) != module {
			continue
		}
		if found < 0 || x.t.later(found) && !x.t.later(row) || x.t.later(found) == x.t.later(row) && x.t.edition(row) > x.t.edition(found) {
			found = row
		}
	}
	return found
}

// editionNote says which OID a label has in a later edition of DOCSIS' modules than the one that choose or inModule took, and how to
// get it; "" if in none. qualified means that the label was written with its module.
func (x *Index) editionNote(chosen int, qualified bool) string {
	label, mine := x.t.label(chosen), x.t.module(chosen)
	from, to := x.t.labelled(label)
	if x.t.oidOf(from) == x.t.oidOf(to-1) || x.t.later(chosen) || x.own[mine] {
		return ""
	}
	for row := from; row < to; row++ {
		if x.t.oidOf(row) == x.t.oidOf(chosen) || !x.t.later(row) {
			continue
		}
		module, key := x.t.module(row), x.t.key(x.t.oidOf(row))
		oid := appendKeyOID(nil, key)
		switch {
		case module == mine:
			return fmt.Sprintf("%s is that of an older edition of %s; devices with that of %s have it at %v: write the number for them", label, mine, day(x.t.edition(row)), oid)
		case !qualified && !slices.Contains(x.prefer, mine) && strings.HasPrefix(x.t.key(x.t.oidOf(chosen)), docsisIETF) && strings.HasPrefix(key, cableLabs):
			return fmt.Sprintf("%s is that of %s; devices of DOCSIS 3.0 and later have it at %v: write %s::%s for them, or name the module in mib_prefer", label, mine, oid, module, label)
		}
	}
	return ""
}

// day returns the date of an edition.
func day(edition string) string {
	if len(edition) < 8 {
		return edition
	}
	return edition[:4] + "-" + edition[4:6] + "-" + edition[6:8]
}
