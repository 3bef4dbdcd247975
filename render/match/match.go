// Package match finds the places of a regular expression's groups in a name, without allocating.
//
// It is Frisch and Cardelli's way ("Greedy regular expression matching", ICALP 2004): one pass backward over the name tells at which
// instructions of the program the rest of the name can match, and one walk forward then takes the first alternative that can. The pass
// backward is a deterministic automaton, built as names need it. A MAC address in a name of 18 octets takes 0.6 of package regexp's time
// (110 of 175 ns), and nothing from the heap.
package match

import (
	"regexp"
	"regexp/syntax"
	"sync/atomic"
	"unicode/utf8"
)

// Pattern is a regular expression. It takes a few octets until it is used for the first time, and may be used by any number of
// goroutines.
type Pattern struct {
	expr   string
	groups int
	left   *atomic.Int64
	built  atomic.Pointer[built]
}

// built is what the first use of a pattern makes: a machine, or a regexp for what a machine does not do.
type built struct {
	machine *machine
	re      *regexp.Regexp
}

// New returns the pattern of an expression that package regexp/syntax has parsed, with the flags of [syntax.Perl]. groups is the number of
// its groups, without the whole match.
func New(expr string, groups int) *Pattern { return &Pattern{expr: expr, groups: groups} }

// Share limits the memory of states, besides the 256 KB of each pattern: left is how many octets all patterns that share it may still
// take. It must be called before p is used.
func (p *Pattern) Share(left *atomic.Int64) { p.left = left }

// Find returns the places of the leftmost match and of its groups in name, as [regexp.Regexp.FindSubmatchIndex] does, in the memory of at;
// nil: there is no match. It takes no lock and waits for nothing.
//
// It allocates when it builds states, which known kinds of names have, when at or s are smaller than the pattern or the name needs, and
// always for a pattern that package regexp has to match: one of more than 2048 instructions, or with a loop around what may be empty
// (as (a*)*).
func (p *Pattern) Find(at []int, name []byte, s *Scratch) []int {
	b := p.built.Load()
	if b == nil {
		b = p.build()
	}
	if b.re != nil {
		found := b.re.FindSubmatchIndex(name)
		if found == nil {
			return nil
		}
		return append(at[:0], found...)
	}
	m := b.machine
	trail := m.backward(name, s)
	from := 0
	for !trail[from].has(m.start) {
		if from++; m.atStart || from > len(name) {
			return nil
		}
	}
	at = at[:0]
	for range 2 * (p.groups + 1) {
		at = append(at, -1)
	}
	m.forward(at, name, from, trail)
	return at
}

func (p *Pattern) build() *built {
	b := &built{}
	if tree, err := syntax.Parse(p.expr, syntax.Perl); err == nil {
		if prog, err := syntax.Compile(tree.Simplify()); err == nil {
			b.machine = newMachine(prog, p.left)
		}
	}
	if b.machine == nil {
		b.re = regexp.MustCompile(p.expr) // it has been parsed
	}
	if !p.built.CompareAndSwap(nil, b) {
		return p.built.Load()
	}
	return b
}

// Scratch is a goroutine's memory for Find. The zero value is ready to use. It grows to what the longest name needs, and holds on to
// states of the last names of each length.
type Scratch struct {
	trail []*state // by place in the name, what is viable there
	rows  []state  // of places that the automaton has no states for
	words []uint64
}

// places returns the trail for a name of n octets.
func (s *Scratch) places(n int) []*state {
	if n >= len(s.trail) {
		s.trail = make([]*state, max(n+1, 64))
	}
	return s.trail[:n+1]
}

// row returns n rows of so many words for sets, all empty.
func (s *Scratch) row(n, words int) []state {
	if n > len(s.rows) {
		s.rows = make([]state, n)
	}
	if need := 2 * n * words; need > len(s.words) {
		s.words = make([]uint64, need)
	}
	clear(s.words[:2*n*words])
	for i := range s.rows[:n] {
		at := s.words[2*i*words:]
		s.rows[i] = state{viable: at[:words:words], taken: at[words : 2*words : 2*words]}
	}
	return s.rows[:n]
}

// backward returns by place of name what is viable there.
func (m *machine) backward(name []byte, s *Scratch) []*state {
	trail := s.places(len(name))
	st := m.last
	i := len(name)
	for ; i > 0 && name[i-1] < utf8.RuneSelf; i-- {
		class := m.class[name[i-1]]
		next := st.next[class].Load()
		if next == nil {
			if next = m.grow(st, class); next == nil {
				break
			}
		}
		trail[i] = next
		st = next
	}
	if i == 0 {
		next := st.next[m.begin].Load()
		if next == nil {
			next = m.grow(st, m.begin)
		}
		if next != nil {
			trail[0] = next
			return trail
		}
	}
	// Characters beyond ASCII, and states that there is no memory for: sets are computed, about 1 ns for each instruction and character.
	rows := s.row(i+1, m.words)
	for {
		here := &rows[i]
		r, size := rune(-1), 1
		if i > 0 {
			r, size = utf8.DecodeLastRune(name[:i])
		}
		m.step(here, st, r)
		trail[i] = here
		if i == 0 {
			return trail
		}
		for i--; size > 1; size-- { // no match begins or ends within a character
			trail[i] = &rows[i]
			i--
		}
		st = here
	}
}

// forward walks from the place from, where the start is viable, and writes the places of groups.
func (m *machine) forward(at []int, name []byte, from int, trail []*state) {
	at[0] = from
	i, here := from, trail[from]
	for pc := m.start; ; {
		in := &m.insts[pc]
		switch in.op {
		case opTake:
			size := 1
			if name[i] >= utf8.RuneSelf {
				_, size = utf8.DecodeRune(name[i:])
			}
			i += size
			here = trail[i]
		case opGroup:
			at[in.arg] = i
		case opEither:
			if !here.has(in.out) {
				pc = in.arg
				continue
			}
		case opEnd:
			at[1] = i
			return
		}
		pc = in.out
	}
}
