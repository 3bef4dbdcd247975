package lint

import (
	"slices"
	"sort"
	"strconv"
	"strings"

	"dcs/render/tlv"
)

// view is a file prepared for the rules.
type view struct {
	*File
	*Options
	tree *tlv.Tree
	tops [256][]*tlv.Node // top-level TLVs by type, in the order of the file
	out  []Finding
	none Finding // see untold

	merged map[string][]*tlv.Node // results of top for several types

	faulty  map[*tlv.Node]bool // numbers with a range that have a finding above a note
	objects []*setting         // see settings
	rows    []*tableRow        // see tableRows
}

func newView(f *File, o *Options) *view {
	v := &view{File: f, Options: o, faulty: map[*tlv.Node]bool{}, merged: map[string][]*tlv.Node{}}
	v.tree, _ = tlv.DecodeAs(f.Dialect, f.Octets) // its error is in the tree
	for _, n := range v.tree.Nodes {
		v.tops[n.Code] = append(v.tops[n.Code], n)
	}
	return v
}

// top returns the top-level TLVs of the given types, in the order of the file. The result must not be modified.
func (v *view) top(codes ...uint8) []*tlv.Node {
	if len(codes) == 1 {
		return v.tops[codes[0]]
	}
	if out, ok := v.merged[string(codes)]; ok {
		return out
	}
	var out []*tlv.Node
	for _, c := range codes {
		out = append(out, v.tops[c]...)
	}
	slices.SortFunc(out, func(a, b *tlv.Node) int { return a.Offset - b.Offset })
	v.merged[string(codes)] = out
	return out
}

// has reports whether the file has a top-level TLV of one of the types.
func (v *view) has(codes ...uint8) bool {
	return slices.ContainsFunc(codes, func(c uint8) bool { return len(v.tops[c]) > 0 })
}

// sub returns the first sub-TLV at a path below n, such as sub(flow, 43, 8); nil: there is none. n may be nil.
func sub(n *tlv.Node, codes ...uint8) *tlv.Node {
	for _, code := range codes {
		if n == nil {
			return nil
		}
		i := slices.IndexFunc(n.Children, func(k *tlv.Node) bool { return k.Code == code })
		if i < 0 {
			return nil
		}
		n = n.Children[i]
	}
	return n
}

// subs returns the sub-TLVs of n of a type.
func subs(n *tlv.Node, code uint8) []*tlv.Node {
	var out []*tlv.Node
	for _, k := range n.Children {
		if k.Code == code {
			out = append(out, k)
		}
	}
	return out
}

// walk calls f for each TLV of the file, parents first. up are the TLVs around it, the outermost first, and only valid during
// the call. If f returns false, the TLVs within are skipped.
func (v *view) walk(f func(n *tlv.Node, up []*tlv.Node) bool) {
	up := make([]*tlv.Node, 0, 8)
	var list func([]*tlv.Node)
	list = func(nodes []*tlv.Node) {
		for _, n := range nodes {
			if f(n, up) && len(n.Children) > 0 {
				up = append(up, n)
				list(n.Children)
				up = up[:len(up)-1]
			}
		}
	}
	list(v.tree.Nodes)
}

// valueAt returns the offset of a TLV's value in the file.
func valueAt(n *tlv.Node) int { return n.Offset + len(n.Raw) - len(n.Value) }

// slots returns the slots within a TLV, its header included, or the one that it is within.
func (v *view) slots(n *tlv.Node) []Slot {
	if len(v.Slots) == 0 {
		return nil
	}
	first := sort.Search(len(v.Slots), func(i int) bool { return v.Slots[i].Off >= n.Offset })
	if i := v.around(n); i >= 0 {
		return v.Slots[i : i+1]
	}
	last := first
	for last < len(v.Slots) && v.Slots[last].Off+v.Slots[last].Len <= n.Offset+len(n.Raw) {
		last++
	}
	for first < last && v.Slots[first].Len == 0 && v.Slots[first].Off == n.Offset {
		first++ // it belongs to what precedes n
	}
	return v.Slots[first:last]
}

// around returns the slot of which a TLV, with its header, is all or a part; -1: there is none.
func (v *view) around(n *tlv.Node) int {
	i := sort.Search(len(v.Slots), func(i int) bool { return v.Slots[i].Off > n.Offset }) - 1
	for i > 0 && v.Slots[i].Len == 0 {
		i--
	}
	if i >= 0 && v.Slots[i].Whole && n.Offset+len(n.Raw) <= v.Slots[i].Off+v.Slots[i].Len {
		return i
	}
	return -1
}

// slot returns the slot that is the whole value of a TLV; nil: there is none.
func (v *view) slot(n *tlv.Node) *Slot {
	s := v.slots(n)
	if len(s) == 1 && s[0].Off == valueAt(n) && s[0].Len == len(n.Value) {
		return &s[0]
	}
	return nil
}

// constant reports whether a TLV is the same for every request.
func (v *view) constant(n *tlv.Node) bool { return len(v.slots(n)) == 0 }

// number returns the values that a TLV of up to eight octets can have as an unsigned number; a TLV that is absent is 0.
func (v *view) number(n *tlv.Node) interval {
	if n == nil {
		return exactly(0)
	}
	if len(n.Value) > 8 {
		return interval{0, 1<<63 - 1, false}
	}
	if s := v.slot(n); s != nil && s.Numeric {
		return interval{s.Min, s.Max, s.Bounded}
	}
	if v.constant(n) {
		return exactly(int64(uintOf(n.Value) & (1<<63 - 1)))
	}
	if len(n.Value) == 8 {
		return interval{0, 1<<63 - 1, false}
	}
	return interval{0, 1<<(8*len(n.Value)) - 1, false}
}

// octets returns the value of a TLV if it is the same for every request.
func (v *view) octets(n *tlv.Node) (b []byte, ok bool) {
	if n == nil || !v.constant(n) {
		return nil, false
	}
	return n.Value, true
}

func uintOf(b []byte) uint64 {
	var x uint64
	for _, c := range b {
		x = x<<8 | uint64(c)
	}
	return x
}

// path returns the codes of a TLV, from the top.
func (v *view) path(n *tlv.Node) string {
	var codes []string
	for list := v.tree.Nodes; ; {
		i := sort.Search(len(list), func(i int) bool { return list[i].Offset > n.Offset }) - 1
		if i < 0 {
			return strings.Join(codes, ".")
		}
		codes = append(codes, strconv.Itoa(int(list[i].Code)))
		if list[i] == n {
			return strings.Join(codes, ".")
		}
		list = list[i].Children
	}
}

// spot returns the position of a TLV; nil is the whole file.
func (v *view) spot(n *tlv.Node) Spot {
	s := Spot{File: v.Name}
	if n != nil {
		s.Offset, s.Path = n.Offset, v.path(n)
	}
	return v.placed(s)
}

// placed adds the statement that wrote the octet at a position.
func (v *view) placed(s Spot) Spot {
	if v.Place == nil {
		return s
	}
	at := s.Offset
	if s.Path == "" {
		at = len(v.Octets)
	}
	s.Place, s.File = v.Place(at), ""
	return s
}

// title is what a TLV is called in a text. It is made only if the text is.
type title struct {
	v *view
	n *tlv.Node
}

// title returns the name and path of a TLV, such as "MaxRateDown (4.2)", or its number if the dictionary has none.
func (v *view) title(n *tlv.Node) title { return title{v, n} }

// String returns the title as text.
func (t title) String() string {
	path := t.v.path(t.n)
	if t.n.Def == nil {
		return "TLV " + path
	}
	return t.n.Def.Name + " (" + path + ")"
}

// exact returns the number that a TLV is for every request; ok is false if it is absent, varies, or has no number's width.
func (v *view) exact(n *tlv.Node) (x int64, ok bool) {
	if n == nil || len(n.Value) == 0 {
		return 0, false
	}
	i := v.number(n)
	return i.min, i.single()
}
