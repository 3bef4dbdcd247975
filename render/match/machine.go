package match

import (
	"regexp/syntax"
	"sync/atomic"
)

// mostInsts is the largest program of a machine. A longer one would make sets, and the memory for a name of 512 octets without states
// (260 KB), larger than is useful.
const mostInsts = 2048

type op uint8

const (
	opFail   op = iota
	opEnd       // the match ends here
	opTake      // takes a character
	opEither    // out, or else arg
	opGroup     // arg is the index of a place
	opLook      // arg are conditions, a syntax.EmptyOp
	opNext      // nothing
)

// inst is an instruction. Those that follow it without a character between stand before it in the program.
type inst struct {
	op       op
	out, arg uint32
	ascii    [2]uint64    // for opTake, the characters up to 127
	more     *syntax.Inst // for opTake, the others
}

func (in *inst) takes(r rune) bool {
	if r < 128 {
		return r >= 0 && in.ascii[r>>6]>>(r&63)&1 != 0
	}
	return in.more.MatchRune(r)
}

// machine is a program and its automaton.
type machine struct {
	insts   []inst
	start   uint32
	atStart bool // a match begins at the start of the name only
	tells   bool // conditions depend on characters: (?m)^, (?m)$, \b or \B
	words   int  // of a set of instructions

	class  [128]uint8 // of a character: those of one class are the same to the program
	sample []rune     // a character of each class; -1: the start of the name, which is class begin
	begin  uint8
	automaton
}

// newMachine returns the machine of a program; nil: it is too long, or loops without taking a character. left is what Share says, or nil.
func newMachine(prog *syntax.Prog, left *atomic.Int64) *machine {
	if len(prog.Inst) > mostInsts {
		return nil
	}
	number, order := sorted(prog)
	if order == nil {
		return nil
	}
	m := &machine{start: number[prog.Start], insts: make([]inst, len(order)), words: (len(order) + 63) / 64}
	m.atStart = prog.StartCond()&syntax.EmptyBeginText != 0
	var looks syntax.EmptyOp
	for i, pc := range order {
		from, in := &prog.Inst[pc], &m.insts[i]
		in.out = number[from.Out]
		switch from.Op {
		case syntax.InstAlt:
			in.op, in.arg = opEither, number[from.Arg]
		case syntax.InstCapture:
			in.op, in.arg = opGroup, from.Arg
		case syntax.InstEmptyWidth:
			in.op, in.arg = opLook, from.Arg
			looks |= syntax.EmptyOp(from.Arg)
		case syntax.InstMatch:
			in.op = opEnd
		case syntax.InstNop:
			in.op = opNext
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			in.op, in.more = opTake, from
			for r := range rune(128) {
				if from.MatchRune(r) {
					in.ascii[r>>6] |= 1 << (r & 63)
				}
			}
		case syntax.InstFail:
		default:
			return nil // InstAltMatch, which syntax.Compile does not make
		}
	}
	m.tells = looks&^(syntax.EmptyBeginText|syntax.EmptyEndText) != 0
	m.classify(looks)
	m.automaton.init(m, left)
	return m
}

// sorted returns the instructions that prog can reach, in the order of [inst], and by instruction its place in that order; nil: prog loops
// without taking a character.
func sorted(prog *syntax.Prog) (number []uint32, order []uint32) {
	number = make([]uint32, len(prog.Inst))
	order = make([]uint32, 0, len(prog.Inst))
	const (
		open = 1
		done = 2
	)
	state := make([]uint8, len(prog.Inst))
	loops := false
	entries := []uint32{uint32(prog.Start)}
	var visit func(pc uint32)
	visit = func(pc uint32) {
		if state[pc] != 0 {
			loops = loops || state[pc] == open
			return
		}
		state[pc] = open
		switch in := &prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			visit(in.Out)
			visit(in.Arg)
		case syntax.InstCapture, syntax.InstEmptyWidth, syntax.InstNop:
			visit(in.Out)
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			entries = append(entries, in.Out)
		}
		state[pc] = done
		number[pc] = uint32(len(order))
		order = append(order, pc)
	}
	for len(entries) > 0 {
		pc := entries[len(entries)-1]
		entries = entries[:len(entries)-1]
		visit(pc)
	}
	if loops {
		return nil, nil
	}
	return number, order
}

// classify divides ASCII into classes of characters that no instruction tells apart. looks are the conditions of all opLook.
func (m *machine) classify(looks syntax.EmptyOp) {
	count := 1
	split := func(set [2]uint64) {
		var to [128]uint8 // by class, the class of those in set plus 1
		var out [128]bool // by class, whether some are not in set
		for r, c := range m.class {
			out[c] = out[c] || set[r>>6]>>(r&63)&1 == 0
		}
		for r, c := range m.class {
			if set[r>>6]>>(r&63)&1 == 0 || !out[c] {
				continue
			}
			if to[c] == 0 {
				count++
				to[c] = uint8(count)
			}
			m.class[r] = to[c] - 1
		}
	}
	seen := map[[2]uint64]bool{}
	for i := range m.insts {
		if in := &m.insts[i]; in.op == opTake && !seen[in.ascii] {
			seen[in.ascii] = true
			split(in.ascii)
		}
	}
	if looks&(syntax.EmptyBeginLine|syntax.EmptyEndLine) != 0 {
		split([2]uint64{1 << '\n', 0})
	}
	if looks&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0 {
		var words [2]uint64
		for r := range rune(128) {
			if syntax.IsWordChar(r) {
				words[r>>6] |= 1 << (r & 63)
			}
		}
		split(words)
	}
	m.sample = make([]rune, count+1)
	for r, c := range m.class {
		m.sample[c] = rune(r)
	}
	m.begin = uint8(count)
	m.sample[count] = -1
}
