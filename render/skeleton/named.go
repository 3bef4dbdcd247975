package skeleton

// Fixed is a set of a pattern's groups, by number: those whose text is part of a skeleton. The other groups are slots, so
// that the names in which only these differ share the skeleton.
type Fixed uint64

// Exact is the set of all groups: the skeleton is that of one name. Its bit is that of group 0, the whole name.
const Exact Fixed = 1

// maxGroups is the number of groups that a set can hold. The names of a pattern with more have a skeleton each.
const maxGroups = 64

// Has reports whether a group is in the set.
func (f Fixed) Has(group int) bool { return f&Exact != 0 || f>>group&1 != 0 }

// Unfit is the Fault of a skeleton that cannot hold a value which the requested name gives: one out of its range, or one
// that a constant may have and a slot may not, such as a label. The name's own skeleton, made by [Template.Specialize], has
// the file, or the fault that says what is wrong.
var Unfit = &Fault{Reason: Invalid, Text: "the name does not fit its kind"}

// Fixed returns the groups that [Template.Learn] is known to need. It grows as names are learned.
func (t *Template) Fixed() Fixed {
	if len(t.groups) == 0 || len(t.groups) > maxGroups {
		return Exact
	}
	return Fixed(t.fixed.Load())
}

// Learn makes the skeleton of a kind of name: the values that n gives are slots, except for those that decide what the
// file consists of. It returns the groups that those come from; the skeleton, or the Fault, is that of all names that n
// differs from in other groups only, if the same groups took part in the match. The Fault may be [Unfit].
func (t *Template) Learn(n Name) (*Skeleton, Fixed, *Fault) {
	fixed := t.Fixed()
	for fixed&Exact == 0 {
		p := t.specialize(n, fixed, serving)
		switch {
		case p.needed != 0:
			fixed = Fixed(t.fixed.Or(uint64(p.needed))) | p.needed
		case p.named && p.fault != nil && !p.halted:
			return nil, fixed, Unfit // the first of several errors may be that of a value
		default:
			return p.made, fixed, p.fault
		}
	}
	s, fault := t.Specialize(n)
	return s, Exact, fault
}

// suits reports, for a request without a file, whether all values that its name gives fit: as constants, they would have been
// found before anything that the device or its address lacks.
func (s *Skeleton) suits(v *Values, sc *Scratch) bool {
	value := sc.tmp // Bad may lie in it
	sc.tmp = sc.trial
	defer func() { sc.tmp, sc.trial = value, sc.tmp }()
	sc.widths = append(sc.widths[:0], 0)
	sum := 0
	for i := range s.slots {
		sl := &s.slots[i]
		if sl.named {
			out, why := sl.append(sc.filled[:0], v, sc)
			if why != okay {
				return false
			}
			if sc.filled = out; sl.width == 0 {
				sum += len(out)
			}
		}
		if sl.width == 0 {
			sc.widths = append(sc.widths, sum)
		}
	}
	for i := range s.fixups {
		f := &s.fixups[i]
		if f.fixed+sc.widths[f.last]-sc.widths[f.first] > 1<<(8*f.octets)-1 {
			return false
		}
	}
	return true
}
