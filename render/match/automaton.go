package match

import (
	"encoding/binary"
	"regexp/syntax"
	"sync"
	"sync/atomic"
)

// mostOctets limits the states of one pattern. A MAC address or serial number in a name takes some ten states of 300 octets.
const mostOctets = 256 << 10

// automaton reads names backward. Its states are linked as names need them: readers follow atomic pointers, and whoever finds none makes
// the state if nobody else is making one, and computes sets otherwise. So nobody waits.
type automaton struct {
	last *state // at the end of a name
	left *atomic.Int64
	full atomic.Bool // no more states: there is no memory

	mu     sync.Mutex // only tried
	states map[string]*state
	octets int
	tmp    *state
	key    []byte
}

// state is what the octets from a place on tell: it has been reached by reading the character before that place. It is immutable, but for
// next.
type state struct {
	viable []uint64 // instructions from which the rest of the name matches, at this place
	taken  []uint64 // those that take the character before it and then match
	r      rune     // the character before it, as far as conditions tell; -1: the name's start (in last: its end)
	next   []atomic.Pointer[state]
}

func (s *state) has(pc uint32) bool { return s.viable[pc>>6]>>(pc&63)&1 != 0 }

func (a *automaton) init(m *machine, left *atomic.Int64) {
	a.left = left
	a.states = map[string]*state{}
	a.tmp = m.newState()
	a.last = m.newState()
	a.last.r = -1
	a.last.next = make([]atomic.Pointer[state], len(m.sample))
}

func (m *machine) newState() *state {
	words := make([]uint64, 2*m.words)
	return &state{viable: words[:m.words:m.words], taken: words[m.words:]}
}

// grow returns the state after st by reading a character of a class; nil: there is none yet, and it cannot be made now.
func (m *machine) grow(st *state, class uint8) *state {
	if m.full.Load() || !m.mu.TryLock() {
		return nil
	}
	defer m.mu.Unlock()
	clear(m.tmp.viable)
	clear(m.tmp.taken)
	m.step(m.tmp, st, m.sample[class])
	m.key = append(m.key[:0], kind(m.tmp.r))
	for _, w := range m.tmp.viable {
		m.key = binary.LittleEndian.AppendUint64(m.key, w)
	}
	for _, w := range m.tmp.taken {
		m.key = binary.LittleEndian.AppendUint64(m.key, w)
	}
	next := m.states[string(m.key)]
	if next == nil {
		octets := 2*len(m.key) + 8*len(m.sample) + 200 // the state, its key and its place in the map
		if m.octets+octets > mostOctets || m.left != nil && m.left.Add(-int64(octets)) < 0 {
			if m.octets+octets <= mostOctets {
				m.left.Add(int64(octets))
			}
			m.full.Store(true)
			return nil
		}
		m.octets += octets
		next = m.newState()
		copy(next.viable, m.tmp.viable)
		copy(next.taken, m.tmp.taken)
		next.r = m.tmp.r
		next.next = make([]atomic.Pointer[state], len(m.sample))
		m.states[string(m.key)] = next
	}
	st.next[class].Store(next)
	return next
}

// step computes the state to, whose sets are empty, which is reached from st by reading r; -1 is the start of the name.
func (m *machine) step(to, st *state, r rune) {
	to.r = r
	if r >= 0 && !m.tells {
		to.r = 0
	}
	holds := syntax.EmptyOpContext(r, st.r)
	for pc := range m.insts {
		in := &m.insts[pc]
		yes := false
		switch in.op {
		case opEnd:
			yes = true
		case opTake:
			yes = st.taken[pc>>6]>>(pc&63)&1 != 0
		case opEither:
			yes = to.has(in.out) || to.has(in.arg)
		case opGroup, opNext:
			yes = to.has(in.out)
		case opLook:
			yes = syntax.EmptyOp(in.arg)&^holds == 0 && to.has(in.out)
		}
		if yes {
			to.viable[pc>>6] |= 1 << (pc & 63)
		}
	}
	for pc := range m.insts {
		if in := &m.insts[pc]; in.op == opTake && to.has(in.out) && in.takes(r) {
			to.taken[pc>>6] |= 1 << (pc & 63)
		}
	}
}

// kind tells apart what conditions tell apart of a character.
func kind(r rune) byte {
	switch {
	case r < 0:
		return 0
	case r == '\n':
		return 1
	case syntax.IsWordChar(r):
		return 2
	}
	return 3
}
