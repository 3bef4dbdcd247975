package library

import (
	"bytes"
	"slices"

	"dcs/render/lint"
	"dcs/render/tlv"
)

// Trace describes a file that a template has made as lint judges it, with the statement that wrote each TLV, and the time and the
// addresses of the request as values that vary. ok is false if no file of the survey is like it.
func (y *Survey) Trace(t *Template, file []byte) (f *lint.File, ok bool) {
	for like := range y.Files(t) {
		if !like.Made {
			continue
		}
		tree, _ := tlv.DecodeAs(like.Dialect, file)
		pattern, _ := tlv.DecodeAs(like.Dialect, like.Octets)
		m := tracer{like: like, at: map[int]int{}}
		if !m.lists(tree.Nodes, pattern.Nodes, true) {
			continue
		}
		return &lint.File{
			Name: like.Name, Dialect: like.Dialect, Octets: file, Made: true, Shared: t.Pattern != "", Slots: m.slots,
			Place: func(off int) lint.Place {
				if from, ok := m.at[off]; ok {
					return like.Place(from)
				}
				return like.Place(len(like.Octets))
			},
		}, true
	}
	return nil, false
}

// tracer compares a file with one of a survey.
type tracer struct {
	like  *lint.File
	at    map[int]int // offsets of TLVs in the survey's file, by those in the other
	slots []lint.Slot
}

// lists reports whether TLVs are those of the survey's file, apart from values that vary.
func (m *tracer) lists(nodes, of []*tlv.Node, top bool) bool {
	return slices.EqualFunc(nodes, of, func(n, like *tlv.Node) bool {
		m.at[n.Offset] = like.Offset
		if n.Code != like.Code || len(n.Children) > 0 != (len(like.Children) > 0) {
			return false
		}
		if len(n.Children) > 0 {
			return m.lists(n.Children, like.Children, false)
		}
		slot := m.slot(like)
		if slot != nil && top && (n.Code == 19 || n.Code == 20 || n.Code == 59) {
			m.slots = append(m.slots, lint.Slot{Off: n.Offset + len(n.Raw) - len(n.Value), Len: len(n.Value), MinLen: len(n.Value), MaxLen: len(n.Value), Text: slot.Text})
		}
		return slot != nil || bytes.Equal(n.Value, like.Value) || m.made(n, like, top)
	})
}

// slot returns a slot within a TLV of the survey's file; nil: it has none.
func (m *tracer) slot(n *tlv.Node) *lint.Slot {
	for i := range m.like.Slots {
		if s := &m.like.Slots[i]; n.Offset <= s.Off && s.Off+s.Len <= n.Offset+len(n.Raw) && (s.Len > 0 || s.Off > n.Offset) {
			return s
		}
	}
	return nil
}

// made reports whether a TLV is an integrity value: a MIC, the digest of an extended one, or the hash of an MTA's file, whose object
// ends in its 20 octets.
func (m *tracer) made(n, like *tlv.Node, top bool) bool {
	if m.like.Dialect == tlv.MTA {
		head := len(n.Value) - 20
		return n.Code == 11 && head > 0 && len(like.Value) == len(n.Value) && bytes.Equal(n.Value[:head], like.Value[:head])
	}
	return top && (n.Code == 6 || n.Code == 7) || n.Def != nil && n.Def.Path == "43.6.3"
}
