package library

import (
	"encoding/binary"
	resyntax "regexp/syntax"
	"slices"
)

// automaton is a pattern's program as a deterministic automaton, built on demand. A state is the set of instructions at
// which the program may be between two characters of a name.
type automaton struct {
	prog    *resyntax.Prog
	takes   [][]bool   // by instruction, the classes of this program that it matches
	class   []uint16   // by class of the alphabet, the class of this program
	classes [][]uint16 // the reverse
	rune    []rune     // a character of each class of this program

	looksBack bool // the program tests the character before a position, other than for the start of the name
	restarts  bool // a match may begin after the first character
	first     int32
	states    []state
	number    map[string]int32

	found []uint32 // scratch, like all fields below
	outs  []uint32
	mark  []uint32
	round uint32
	stack []uint32
	key   []byte
}

type state struct {
	insts []uint32 // that match a character, or test the one after this position
	asks  bool     // one of insts tests
	prev  rune     // the character before this position; -1 at the start
	next  []int32  // by class, the number of the next state
	end   int8     // 1: a name that ends here matches; -1: it does not; 0: not known yet
}

// States that every automaton has.
const (
	dead    int32 = 0 // no name that continues from here matches
	matched int32 = 1 // all of them match

	notKnown int32 = -1
)

// other stands for a preceding character that no instruction tests.
const other = ' '

// newAutomaton makes the automaton of prog. Its sets must have been added to a before a was divided.
func newAutomaton(prog *resyntax.Prog, sets []int, a *alphabet) *automaton {
	m := &automaton{prog: prog, number: map[string]int32{}, mark: make([]uint32, len(prog.Inst))}
	for i := range prog.Inst {
		switch in := &prog.Inst[i]; {
		case in.Op != resyntax.InstEmptyWidth:
		case resyntax.EmptyOp(in.Arg)&(resyntax.EmptyBeginLine|resyntax.EmptyWordBoundary|resyntax.EmptyNoWordBoundary) != 0:
			m.looksBack = true
		}
	}
	m.class = make([]uint16, len(a.text))
	used := slices.Compact(slices.Sorted(slices.Values(sets)))
	if len(used) > 0 && used[0] < 0 {
		used = used[1:]
	}
	n := uint16(1)
	to := map[uint16]uint16{}
	for _, s := range used {
		clear(to)
		for _, c := range a.members[s] {
			split, ok := to[m.class[c]]
			if !ok {
				split = n
				to[m.class[c]] = n
				n++
			}
			m.class[c] = split
		}
	}
	// Classes that have lost all members are empty: number the others anew.
	clear(to)
	for c, k := range m.class {
		dense, ok := to[k]
		if !ok {
			dense = uint16(len(to))
			to[k] = dense
			m.rune = append(m.rune, a.rune[c])
		}
		m.class[c] = dense
	}
	m.classes = make([][]uint16, len(m.rune))
	size := make([]int, len(m.rune))
	for _, k := range m.class {
		size[k]++
	}
	room := make([]uint16, len(m.class))
	for k := range m.classes {
		m.classes[k], room = room[:0:size[k]], room[size[k]:]
	}
	for c, k := range m.class {
		m.classes[k] = append(m.classes[k], uint16(c))
	}
	m.takes = make([][]bool, len(prog.Inst))
	taken := make([][]bool, len(used))
	for i := range prog.Inst {
		s, ok := slices.BinarySearch(used, sets[i])
		if !ok {
			continue
		}
		if taken[s] == nil {
			taken[s] = make([]bool, len(m.classes))
			for _, c := range a.members[used[s]] {
				taken[s][m.class[c]] = true
			}
		}
		m.takes[i] = taken[s]
	}
	m.states = make([]state, matched+1, 16)
	m.begin()
	m.follow(uint32(prog.Start), resyntax.EmptyOpContext(other, other), true)
	m.restarts = m.looksBack || len(m.found) > 0
	m.begin()
	m.follow(uint32(prog.Start), resyntax.EmptyOpContext(-1, other), true)
	m.first = m.intern(-1)
	return m
}

// setsOf adds the sets of prog to a and returns the number of each instruction's set, -1 for an instruction that
// matches no character.
func setsOf(prog *resyntax.Prog, a *alphabet) []int {
	sets := make([]int, len(prog.Inst), len(prog.Inst)+2)
	for i := range prog.Inst {
		sets[i] = -1
		switch in := &prog.Inst[i]; in.Op {
		case resyntax.InstRune, resyntax.InstRune1, resyntax.InstRuneAny, resyntax.InstRuneAnyNotNL:
			sets[i] = a.set(in)
		case resyntax.InstEmptyWidth:
			if op := resyntax.EmptyOp(in.Arg); op&(resyntax.EmptyWordBoundary|resyntax.EmptyNoWordBoundary) != 0 {
				sets = append(sets, a.add(wordRanges))
			} else if op&(resyntax.EmptyBeginLine|resyntax.EmptyEndLine) != 0 {
				sets = append(sets, a.add(lineRanges))
			}
		}
	}
	return sets
}

func (m *automaton) begin() {
	m.round++
	m.found = m.found[:0]
}

// follow adds to found the instructions that can be reached from pc without a character. With open, only the character
// before this position is known, and instructions that test the one after it are added themselves.
func (m *automaton) follow(pc uint32, holds resyntax.EmptyOp, open bool) {
	m.stack = append(m.stack[:0], pc)
	for len(m.stack) > 0 {
		pc := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if m.mark[pc] == m.round {
			continue
		}
		m.mark[pc] = m.round
		switch in := &m.prog.Inst[pc]; in.Op {
		case resyntax.InstAlt, resyntax.InstAltMatch:
			m.stack = append(m.stack, in.Arg, in.Out)
		case resyntax.InstCapture, resyntax.InstNop:
			m.stack = append(m.stack, in.Out)
		case resyntax.InstEmptyWidth:
			op := resyntax.EmptyOp(in.Arg)
			switch {
			case open && op&^(resyntax.EmptyBeginText|resyntax.EmptyBeginLine) != 0:
				m.found = append(m.found, pc)
			case op&^holds == 0:
				m.stack = append(m.stack, in.Out)
			}
		case resyntax.InstFail:
		default:
			m.found = append(m.found, pc)
		}
	}
}

// intern returns the number of the state of the instructions in found.
func (m *automaton) intern(prev rune) int32 {
	if len(m.found) == 0 {
		return dead
	}
	asks := false
	for _, pc := range m.found {
		switch m.prog.Inst[pc].Op {
		case resyntax.InstMatch:
			return matched
		case resyntax.InstEmptyWidth:
			asks = true
		}
	}
	if prev >= 0 && (!asks || !m.looksBack) {
		prev = other
	}
	slices.Sort(m.found)
	m.key = binary.LittleEndian.AppendUint32(m.key[:0], uint32(prev))
	for _, pc := range m.found {
		m.key = binary.LittleEndian.AppendUint32(m.key, pc)
	}
	n, ok := m.number[string(m.key)]
	if !ok {
		n = int32(len(m.states))
		m.number[string(m.key)] = n
		m.states = append(m.states, state{insts: slices.Clone(m.found), asks: asks, prev: prev})
	}
	return n
}

// resolve returns the instructions of s, given that r comes next, -1 for the end.
func (m *automaton) resolve(s *state, r rune) []uint32 {
	if !s.asks {
		return s.insts
	}
	m.begin()
	holds := resyntax.EmptyOpContext(s.prev, r)
	for _, pc := range s.insts {
		m.follow(pc, holds, false)
	}
	return m.found
}

func (m *automaton) hasMatch(insts []uint32) bool {
	for _, pc := range insts {
		if m.prog.Inst[pc].Op == resyntax.InstMatch {
			return true
		}
	}
	return false
}

// ends reports whether a name that ends in state n matches.
func (m *automaton) ends(n int32) bool {
	if n <= matched {
		return n == matched
	}
	s := &m.states[n]
	if s.end == 0 {
		s.end = -1
		if m.hasMatch(m.resolve(s, -1)) {
			s.end = 1
		}
	}
	return s.end > 0
}

// step returns the state after a character of class c, and the cost of finding it.
func (m *automaton) step(n int32, c int) (next int32, cost int) {
	if n <= matched {
		return n, 1
	}
	if m.states[n].next == nil {
		m.states[n].next = slices.Repeat([]int32{notKnown}, len(m.classes))
	}
	s := &m.states[n]
	if s.next[c] != notKnown {
		return s.next[c], 1
	}
	insts := m.resolve(s, m.rune[c])
	if m.hasMatch(insts) {
		s.next[c] = matched
		return matched, 1
	}
	m.outs = m.outs[:0]
	for _, pc := range insts {
		if m.takes[pc] != nil && m.takes[pc][c] {
			m.outs = append(m.outs, m.prog.Inst[pc].Out)
		}
	}
	if len(m.outs) == 0 && !m.restarts {
		s.next[c] = dead
		return dead, len(insts) + 1
	}
	prev := m.rune[c]
	holds := resyntax.EmptyOpContext(prev, other)
	m.begin()
	for _, pc := range m.outs {
		m.follow(pc, holds, true)
	}
	if m.restarts {
		m.follow(uint32(m.prog.Start), holds, true)
	}
	cost = len(insts) + 4*len(m.found) + 4
	next = m.intern(prev)
	m.states[n].next[c] = next
	return next, cost
}
