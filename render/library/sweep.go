package library

import (
	"encoding/binary"
	resyntax "regexp/syntax"
)

// node is a position that some names lead to: the states of those patterns which a longer name may still match.
type node struct {
	at     string // pairs of the pattern's number and its state, 32 bits each
	parent int32
	class  uint16 // of the last character
	octets uint8  // of the shortest name that leads here
}

// sweep walks along all names that two or more patterns of list may match, the shortest first. It reports each pattern
// that matches a name which an earlier one in list matches, too: once, with the first pattern that matches the name. It
// returns whether the walk was complete.
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
	done     []bool // patterns that have been reported
	report   func(a, b *pattern, witness string)
	complete bool

	nodes  []node
	number map[string]int32 // of all nodes but the first: no name is empty
	queue  [][]int32        // by number of octets, the nodes to visit
	after  [][]byte         // by class, the next value of at; scratch
}

// placeSize is the number of octets of one pair in node.at.
const placeSize = 8

// open reports whether a name longer than those that lead to at may be worth a report.
func (w *walk) open(at string) bool {
	for i := placeSize; i < len(at); i += placeSize { // the first has no earlier one
		if !w.done[place(at[i:])] {
			return true
		}
	}
	return false
}

// place returns the pattern's number in the first pair of at.
func place(at string) uint32 {
	return uint32(at[0]) | uint32(at[1])<<8 | uint32(at[2])<<16 | uint32(at[3])<<24
}

func (w *walk) run() {
	for octets := range w.queue {
		for i := 0; i < len(w.queue[octets]); i++ { // visits add only longer names
			n := w.queue[octets][i]
			if int(w.nodes[n].octets) != octets {
				continue // a shorter name leads here
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
		if !first.matches(name) || !w.list[p].matches(name) {
			w.complete = false // impossible, but a report must be true in any case
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

// expand adds the nodes that another character leads to.
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
			// Names with other characters, of fewer octets, might continue from here.
			w.complete = w.complete && !w.letters.heavy
			continue
		}
		old, ok := w.number[string(at)]
		switch {
		case !ok:
			key := string(at)
			w.left -= 32 + 4*len(key)/placeSize // this limits memory, too
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
