package library

import (
	"cmp"
	"iter"
	resyntax "regexp/syntax"
	"slices"
	"strings"
)

// verdict is the result of comparing two patterns.
type verdict uint8

const (
	unknown     verdict = iota // the budget did not suffice to decide
	disjoint                   // no name matches both
	overlapping                // a name that matches both was found
)

func (v verdict) String() string { return [...]string{"unknown", "disjoint", "overlapping"}[v] }

// maxName is the maximum length in octets of the names considered. A name has at least one octet, and no NUL.
const maxName = 255

// conflict is two patterns of one priority and a name that both match; a has the lower index.
type conflict struct {
	a, b    *pattern
	witness string
}

// overlap searches for the shortest name, in octets, that both patterns match, preferably of ordinary characters.
// budget limits the work: a unit takes about 10 to 20 ns.
func overlap(a, b *pattern, budget int) (witness string, v verdict) {
	return (&prover{left: budget}).pair(a, b)
}

// conflicts returns, in the order of index, every pattern that overlaps with one of the same priority and a lower
// index, together with one such. Patterns not compared before budget (see overlap) is spent count as disjoint; which
// ones those are depends on the patterns and the budget alone. A hundred million suffice for 10,000 patterns that
// differ in their literals.
func (p *patterns) conflicts(budget int) []conflict {
	sorted := slices.SortedStableFunc(slices.Values(p.list), before)
	sorted = slices.DeleteFunc(sorted, func(q *pattern) bool { return q.guess })
	v := &prover{left: budget, progs: map[*pattern]*resyntax.Prog{}}
	for len(sorted) > 0 {
		n := 1
		for n < len(sorted) && sorted[n].priority == sorted[0].priority {
			n++
		}
		share := v.left
		if n < len(sorted) {
			share = int(float64(v.left) * float64(n) / float64(len(sorted)))
		}
		v.spend(share, func() { v.group(sorted[:n]) })
		sorted = sorted[n:]
	}
	slices.SortFunc(v.found, func(x, y conflict) int { return cmp.Compare(x.b.index, y.b.index) })
	return v.found
}

// prover searches for names that several patterns match, until its budget is spent.
type prover struct {
	left  int
	progs map[*pattern]*resyntax.Prog // cache; nil: none
	found []conflict
}

// spend runs work with at most share of the budget; what work does not use is left for the rest.
func (v *prover) spend(share int, work func()) {
	rest := v.left - share
	v.left = share
	work()
	v.left = max(v.left, 0) + rest
}

// group finds the conflicts of patterns of one priority, in the order of index.
func (v *prover) group(list []*pattern) {
	later := map[*pattern]bool{} // those that overlap with an earlier one
	report := func(a, b *pattern, witness string) {
		if !later[b] {
			later[b] = true
			v.found = append(v.found, conflict{a, b, witness})
		}
	}

	// Whatever a pattern overlaps with, an earlier pattern of the same text overlaps with, too.
	same := map[string]*pattern{}
	var anchored, loose, rest []*pattern
	for _, q := range list {
		if q.minLen > maxName {
			continue
		}
		if first := same[q.source]; first != nil {
			if w, verdict := v.pair(first, q); verdict == overlapping {
				report(first, q, w)
			}
			continue
		}
		same[q.source] = q
		rest = append(rest, q)
		if q.atStart {
			anchored = append(anchored, q)
		} else {
			loose = append(loose, q)
		}
	}

	// Patterns anchored at the start are compared by walking along all their names at once, in groups with compatible
	// prefixes.
	slices.SortStableFunc(anchored, func(a, b *pattern) int { return strings.Compare(a.prefix, b.prefix) })
	budget, many := v.left, len(anchored)
	if len(loose) > 0 {
		budget /= 2
	}
	for len(anchored) > 0 {
		n := 1
		for n < len(anchored) && strings.HasPrefix(anchored[n].prefix, anchored[0].prefix) {
			n++
		}
		if n > 1 {
			together := slices.SortedStableFunc(slices.Values(anchored[:n]), before)
			share := int(float64(budget) * float64(n) / float64(many))
			v.spend(min(v.left, max(share, leastShare)), func() { v.sweep(together, report) })
		}
		anchored = anchored[n:]
	}

	// The others may match in the middle of a name: almost any two of them overlap unless their ends exclude it, so
	// comparing pairs is fast.
	if len(loose) == 0 {
		return
	}
	all, mid := newEnds(rest), newEnds(loose)
	for _, b := range rest {
		earlier := all
		if b.atStart {
			earlier = mid // the anchored ones were compared in the walk
		}
		for a := range earlier.partners(b.suffix) {
			if v.left--; v.left < 0 || later[b] {
				break
			}
			if before(a, b) >= 0 {
				continue
			}
			v.spend(max(v.left/16, min(v.left, leastShare)), func() {
				if w, verdict := v.pair(a, b); verdict == overlapping {
					report(a, b, w)
				}
			})
		}
	}
}

// leastShare is a budget that suffices for a few ordinary patterns.
const leastShare = 100_000

// ends finds patterns by their suffixes.
type ends struct {
	sorted []*pattern // by suffix, read backwards
	exact  map[string][]*pattern
}

func newEnds(list []*pattern) *ends {
	e := &ends{sorted: slices.Clone(list), exact: map[string][]*pattern{}}
	slices.SortStableFunc(e.sorted, func(a, b *pattern) int { return backwards(a.suffix, b.suffix) })
	for _, p := range list {
		e.exact[p.suffix] = append(e.exact[p.suffix], p)
	}
	return e
}

func backwards(a, b string) int {
	for i := 1; i <= len(a) && i <= len(b); i++ {
		if c := cmp.Compare(a[len(a)-i], b[len(b)-i]); c != 0 {
			return c
		}
	}
	return len(a) - len(b)
}

// partners yields the patterns whose suffix is compatible with suffix.
func (e *ends) partners(suffix string) iter.Seq[*pattern] {
	return func(yield func(*pattern) bool) {
		for i := 1; i <= len(suffix); i++ {
			for _, p := range e.exact[suffix[i:]] {
				if !yield(p) {
					return
				}
			}
		}
		at, _ := slices.BinarySearchFunc(e.sorted, suffix, func(p *pattern, s string) int { return backwards(p.suffix, s) })
		for ; at < len(e.sorted) && strings.HasSuffix(e.sorted[at].suffix, suffix); at++ {
			if !yield(e.sorted[at]) {
				return
			}
		}
	}
}

// apart reports whether lengths or ends exclude that the two patterns match the same name.
func apart(a, b *pattern) bool {
	most := func(p *pattern) int {
		if p.maxLen == unbounded {
			return maxName
		}
		return min(p.maxLen, maxName)
	}
	return a.minLen > most(b) || b.minLen > most(a) || a.minLen > maxName || b.minLen > maxName ||
		!strings.HasPrefix(a.prefix, b.prefix) && !strings.HasPrefix(b.prefix, a.prefix) ||
		!strings.HasSuffix(a.suffix, b.suffix) && !strings.HasSuffix(b.suffix, a.suffix)
}

// pair compares two patterns.
func (v *prover) pair(a, b *pattern) (witness string, verdict verdict) {
	if v.left--; apart(a, b) {
		return "", disjoint
	}
	found := false
	complete := v.sweep([]*pattern{a, b}, func(_, _ *pattern, w string) { witness, found = w, true })
	switch {
	case found:
		return witness, overlapping
	case complete:
		return "", disjoint
	}
	return "", unknown
}

func (v *prover) prog(p *pattern) *resyntax.Prog {
	if prog := v.progs[p]; prog != nil {
		return prog
	}
	tree, err := parsePattern(p.text())
	if err != nil {
		return nil // unreachable: compilePattern has parsed it
	}
	prog, err := resyntax.Compile(tree)
	if err != nil {
		return nil
	}
	v.left -= 20 * len(prog.Inst)
	if v.progs != nil {
		v.progs[p] = prog
	}
	return prog
}
