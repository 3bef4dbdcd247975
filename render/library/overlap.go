package library

import (
	"cmp"
	"encoding/binary"
	"iter"
	resyntax "regexp/syntax"
	"slices"
	"strings"
)

// verdict is what is known of two patterns.
type verdict uint8

const (
	unknown     verdict = iota // whether a name matches both was too much to find out
	disjoint                   // no name matches both
	overlapping                // a name that matches both was found
)

func (v verdict) String() string { return [...]string{"unknown", "disjoint", "overlapping"}[v] }

// maxName is the longest name that is looked at, in octets. A name has one octet at least, and no NUL.
const maxName = 255

// conflict is two patterns of one priority and a name that both match; a has the lower index.
type conflict struct {
	a, b    *pattern
	witness string
}

// overlap looks for the shortest name, in octets, that both patterns match, made of
// ordinary characters where it can be. Budget bounds the work: about 10 to 20 ns each.
func overlap(a, b *pattern, budget int) (witness string, v verdict) {
	return (&prover{left: budget}).pair(a, b)
}

// conflicts returns, in the order of index, every pattern that overlaps with one of the
// same priority and a lower index, with one such. What is left when budget (see overlap) is
// spent counts as disjoint; which that is depends on the patterns and the budget alone.
// A hundred million are plenty for 10,000 patterns that literals tell apart.
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

// prover looks for names that several patterns match, until its budget is spent.
type prover struct {
	left  int
	progs map[*pattern]*resyntax.Prog // nil: none is kept
	found []conflict
}

// spend does work on share of the budget at most; what it leaves is there for the rest.
func (v *prover) spend(share int, work func()) {
	kept := v.left - share
	v.left = share
	work()
	v.left = max(v.left, 0) + kept
}

// group finds the conflicts of patterns of one priority, in the order of index.
func (v *prover) group(list []*pattern) {
	later := map[*pattern]bool{} // that overlap with an earlier one
	report := func(a, b *pattern, witness string) {
		if !later[b] {
			later[b] = true
			v.found = append(v.found, conflict{a, b, witness})
		}
	}

	// Whatever a pattern overlaps with, one of the same text before it does too.
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

	// Patterns that begin where the name does are told apart by walking along all their
	// names at once, those with prefixes that go together at a time.
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

	// The rest may match in the middle of a name: as good as any two of them overlap, unless
	// their ends keep them apart, so that a pair at a time is soon done.
	if len(loose) == 0 {
		return
	}
	all, mid := newEnds(rest), newEnds(loose)
	for _, b := range rest {
		earlier := all
		if b.atStart {
			earlier = mid // the others were on the walk with it
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

// leastShare is enough of a budget for a few ordinary patterns.
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

// partners yields those whose suffix goes together with suffix.
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

// apart tells if lengths or ends keep two patterns from matching one name.
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
		return nil // compilePattern has parsed it before
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

// node is a place that some names lead to: the states that those patterns are in which a
// longer name may still match.
type node struct {
	at     string // pairs of the pattern's number and its state, 32 bits each
	parent int32
	class  uint16 // of the last character
	octets uint8  // of the shortest name that leads here
}

// sweep walks along all names that two or more of list may match, shortest first, and
// reports each pattern that matches a name with one before it in list: once, with the
// first of those that match the name. It returns whether it went all the way.
func (v *prover) sweep(list []*pattern, report func(a, b *pattern, witness string)) (complete bool) {
	letters := &alphabet{sets: map[string]int{}, single: map[rune]int{}}
	machines := make([]*automaton, len(list))
	sets := make([][]int, len(list))
	progs := make([]*resyntax.Prog, len(list))
	for i, p := range list {
		prog := v.prog(p)
		if prog == nil || v.left < 0 {
			return false
		}
		progs[i], sets[i] = prog, setsOf(prog, letters)
	}
	cost, ok := letters.divide()
	if v.left -= cost; !ok || v.left < 0 {
		return false
	}
	root := node{parent: -1}
	var at []byte
	for i, prog := range progs {
		machines[i] = newAutomaton(prog, sets[i], letters)
		v.left -= len(letters.text) + 4*len(prog.Inst)
		if v.left < 0 {
			return false
		}
		if n := machines[i].first; n != dead {
			at = appendPlace(at, i, n)
		}
	}
	root.at = string(at)

	w := &walk{
		prover: v, list: list, machines: machines, letters: letters, done: make([]bool, len(list)), report: report, complete: true,
		nodes: []node{root}, number: map[string]int32{}, queue: make([][]int32, maxName+1), after: make([][]byte, len(letters.text)),
	}
	w.queue[0] = []int32{0}
	w.run()
	return w.complete
}

func appendPlace(at []byte, pattern int, state int32) []byte {
	at = binary.LittleEndian.AppendUint32(at, uint32(pattern))
	return binary.LittleEndian.AppendUint32(at, uint32(state))
}

// walk is the state of a sweep.
type walk struct {
	*prover
	list     []*pattern
	machines []*automaton
	letters  *alphabet
	done     []bool // patterns reported
	report   func(a, b *pattern, witness string)
	complete bool

	nodes  []node
	number map[string]int32 // of all but the first: no name is empty
	queue  [][]int32        // by octets, the nodes to visit
	after  [][]byte         // by class, what at will be: scratch
}

// placeSize is the octets of one pair in node.at.
const placeSize = 8

// open tells if a longer name than those that lead to at could be worth a report.
func (w *walk) open(at string) bool {
	for i := placeSize; i < len(at); i += placeSize { // the first has none before it
		if !w.done[place(at[i:])] {
			return true
		}
	}
	return false
}

// place returns the pattern's number of the first pair of at.
func place(at string) uint32 {
	return uint32(at[0]) | uint32(at[1])<<8 | uint32(at[2])<<16 | uint32(at[3])<<24
}

func (w *walk) run() {
	for octets := range w.queue {
		for i := 0; i < len(w.queue[octets]); i++ { // visits add to longer names only
			n := w.queue[octets][i]
			if int(w.nodes[n].octets) != octets {
				continue // a shorter way here was found
			}
			if w.left -= len(w.nodes[n].at) / placeSize; w.left < 0 {
				w.complete = false
				return
			}
			if octets > 0 {
				w.accept(n)
			}
			if w.open(w.nodes[n].at) {
				w.expand(n)
			}
		}
		w.queue[octets] = nil
	}
	w.complete = w.complete && w.left >= 0
}

// accept reports the patterns that match the name that leads to n.
func (w *walk) accept(n int32) {
	at := w.nodes[n].at
	var first *pattern
	name := ""
	for ; at != ""; at = at[placeSize:] {
		p := place(at)
		if !w.machines[p].ends(int32(place(at[4:]))) {
			continue
		}
		if first == nil {
			first = w.list[p]
			continue
		}
		if w.done[p] {
			continue
		}
		if name == "" {
			name = w.name(n)
		}
		if !first.re.MatchString(name) || !w.list[p].re.MatchString(name) {
			w.complete = false // cannot be; what is reported has to be true all the same
			continue
		}
		w.done[p] = true
		w.report(first, w.list[p], name)
	}
}

// name returns the name that leads to n.
func (w *walk) name(n int32) string {
	b := make([]byte, w.nodes[n].octets)
	for end := len(b); end > 0; n = w.nodes[n].parent {
		text := w.letters.text[w.nodes[n].class]
		end -= len(text)
		copy(b[end:], text)
	}
	return string(b)
}

// expand adds the nodes that one more character leads to.
func (w *walk) expand(n int32) {
	for c := range w.after {
		w.after[c] = w.after[c][:0]
	}
	for at := w.nodes[n].at; at != ""; at = at[placeSize:] {
		p, from := place(at), int32(place(at[4:]))
		m := w.machines[p]
		for c, classes := range m.classes {
			to, cost := m.step(from, c)
			if w.left -= cost; to == dead {
				continue
			}
			w.left -= len(classes)
			for _, k := range classes {
				w.after[k] = appendPlace(w.after[k], int(p), to)
			}
		}
		if w.left < 0 {
			return
		}
	}
	for c, at := range w.after {
		octets := int(w.nodes[n].octets) + len(w.letters.text[c])
		if len(at) < 2*placeSize {
			continue
		}
		if octets > maxName {
			// Names of other characters, in fewer octets, might go on from here.
			w.complete = w.complete && !w.letters.heavy
			continue
		}
		old, ok := w.number[string(at)]
		switch {
		case !ok:
			key := string(at)
			w.left -= 32 + 4*len(key)/placeSize // memory is to be bounded too
			old = int32(len(w.nodes))
			w.number[key] = old
			w.nodes = append(w.nodes, node{at: key})
		case int(w.nodes[old].octets) <= octets:
			continue
		}
		w.nodes[old].parent, w.nodes[old].class, w.nodes[old].octets = n, uint16(c), uint8(octets)
		w.queue[octets] = append(w.queue[octets], old)
	}
}
