package tlv

import (
	"bytes"
	"fmt"

	"dcs/render/ber"
)

// Node is one TLV of a decoded file. Raw and Value alias the file.
type Node struct {
	Def      *Def // nil if not in the dictionary
	Code     uint8
	Offset   int     // of the type octet in the file
	Raw      []byte  // type, length and value
	Value    []byte  // value alone
	Children []*Node // of a group whose value consists of TLVs
	Note     string  // why the value could not be read as its kind and is shown as octets
}

// Tree is a decoded file.
type Tree struct {
	Dialect Dialect
	Nodes   []*Node
	Tail    []byte // data after the end marker

	// Deviations lists where the file differs from what the compiler would lay out: missing or
	// misplaced MICs, end marker, padding. Compiling the printed text corrects these, so the
	// result differs from the file.
	Deviations []Warning
	// Err is the error that Decode returned, if any.
	Err error

	size int
}

// Warning describes something in a file that is allowed but may not be intended.
type Warning struct {
	Offset int // of the type octet in the file
	Text   string
}

func (w Warning) String() string { return fmt.Sprintf("offset %d: %s", w.Offset, w.Text) }

// decodeError reports where a file stops being TLVs.
type decodeError struct {
	Offset int
	Msg    string
}

func (e *decodeError) Error() string { return fmt.Sprintf("offset %d: %s", e.Offset, e.Msg) }

// Decode decodes a file. It is an MTA's if the first TLV is 254, a portal service's if a TLV 28
// is an SNMP object, and a modem's otherwise. The tree is never nil; on an error it holds what
// precedes the offset in the error.
func Decode(file []byte) (*Tree, error) {
	switch {
	case len(file) > 0 && file[0] == 254:
		return DecodeAs(MTA, file)
	case isPortal(file):
		return DecodeAs(PS, file)
	}
	return DecodeAs(CM, file)
}

// isPortal reports whether a file is a portal service's: its first TLV 28 is an SNMP object
// after a two-octet length, whereas a modem's is a two-octet number after a one-octet length. A
// portal service's file without SNMP objects reads the same as a modem's.
func isPortal(file []byte) bool {
	root := Root(PS)
	for at := 0; at < len(file) && file[at] != 255; {
		n, err := decodeTLV(root, file, at, 0)
		if err != nil {
			return false
		}
		if n.Code == 28 {
			_, err := ber.ParseVarbind(n.Value)
			return err == nil
		}
		at += len(n.Raw)
	}
	return false
}

// DecodeAs decodes a file of the given dialect, as Decode does.
func DecodeAs(d Dialect, file []byte) (*Tree, error) {
	t := &Tree{Dialect: d, size: len(file)}
	root := Root(d)
	for at := 0; at < len(file); {
		n, err := decodeTLV(root, file, at, 0)
		if err != nil {
			t.Err = err
			break
		}
		t.Nodes = append(t.Nodes, n)
		at += len(n.Raw)
		if n.Code == 255 && n.isMarker() {
			t.Tail = file[at:]
			break
		}
	}
	if t.Err == nil {
		t.deviations()
	}
	return t, t.Err
}

func (n *Node) isMarker() bool { return n.Def != nil && n.Def.Kind == KindMarker }

// decodeTLV decodes the TLV at b[at:], a child of parent. base is the offset of b in the file.
func decodeTLV(parent *Def, b []byte, at, base int) (*Node, error) {
	n := &Node{Code: b[at], Offset: base + at}
	n.Def, _ = parent.ChildByCode(n.Code)
	width := 1
	if n.Def != nil {
		width = n.Def.LenBytes()
	}
	value := at + 1 + width
	if value > len(b) {
		return nil, &decodeError{n.Offset, fmt.Sprintf("TLV %d has no length", n.Code)}
	}
	size := 0
	for _, c := range b[at+1 : value] {
		size = size<<8 | int(c)
	}
	if size > len(b)-value {
		return nil, &decodeError{n.Offset, fmt.Sprintf("TLV %d says %s, %d left", n.Code, count(size, "octet"), len(b)-value)}
	}
	n.Raw = b[at : value+size : value+size]
	n.Value = b[value : value+size : value+size]
	n.open(base + value)
	return n, nil
}

// open decodes the children of a group, or checks a value of fixed width. base is the offset of
// the value in the file.
func (n *Node) open(base int) {
	d := n.Def
	if d == nil || d.Kind == KindMarker {
		return
	}
	if !d.Group() {
		n.checkWidth()
		return
	}
	inner := d
	if d.Kind == KindVendorGroup && !n.general() {
		inner = nil
	}
	kids, err := decodeAll(d, inner, n.Value, base)
	if err != nil {
		n.Note = "not TLVs: " + err.Error()
		if d.Code == 38 && d.Kind == KindGroup && len(n.Value) > 0 && n.Value[len(n.Value)-1] == 0 {
			n.Note += "; in DPoE, ServingGroupName"
		}
		return
	}
	n.Children = kids
}

// general reports whether a vendor group holds the DOCSIS general extensions: its OUI is
// ffffff, in the first sub-TLV or, out of order, in a later one.
func (n *Node) general() bool {
	for b := n.Value; len(b) >= 2 && len(b) >= 2+int(b[1]); b = b[2+int(b[1]):] {
		if b[0] == 8 {
			return bytes.Equal(b[2:2+int(b[1])], []byte{0xff, 0xff, 0xff})
		}
	}
	return false
}

// decodeAll decodes the TLVs that b consists of. defs is the group that defines them; if it is
// nil, only the OUI is known.
func decodeAll(group, defs *Def, b []byte, base int) ([]*Node, error) {
	var out []*Node
	for at := 0; at < len(b); {
		parent := defs
		if parent == nil {
			parent = &Def{}
			if b[at] == 8 && len(b)-at >= 5 && b[at+1] == 3 {
				parent = group
			}
		}
		n, err := decodeTLV(parent, b, at, base)
		if err != nil {
			return nil, err
		}
		out = append(out, n)
		at += len(n.Raw)
	}
	return out, nil
}

// checkWidth sets Note if the value is shorter or longer than its kind allows.
func (n *Node) checkWidth() {
	d := n.Def
	unit, multiple := d.codec().width()
	size := len(n.Value)
	if unit == 0 || size == unit || multiple && size%unit == 0 {
		return
	}
	n.Note = fmt.Sprintf("%s, not %d", count(size, "octet"), unit)
	if d.Path == "83" {
		n.Note += "; in DPoE, L2CPManagement"
	}
}

// isGroup reports whether the value was decoded as TLVs.
func (n *Node) isGroup() bool { return n.Def != nil && n.Def.Group() && n.Note == "" }

// Append appends the TLV, encoded again from its parts.
func (n *Node) Append(dst []byte) []byte {
	start := len(dst)
	dst = append(dst, n.Raw[:len(n.Raw)-len(n.Value)]...)
	if !n.isGroup() {
		return append(dst, n.Value...)
	}
	head := len(dst)
	for _, c := range n.Children {
		dst = c.Append(dst)
	}
	size := len(dst) - head
	for i := head - 1; i > start; i-- {
		dst[i] = byte(size)
		size >>= 8
	}
	return dst
}

// AppendBody appends what is signed of a modem's file: its top-level TLVs without MICs and end marker.
func (t *Tree) AppendBody(dst []byte) []byte {
	for _, n := range t.Nodes {
		if n.Def == nil || n.Def.computed() == nil {
			dst = n.Append(dst)
		}
	}
	return dst
}

// Append appends the file, encoded again from its parts. For a tree returned with an error,
// that is what was decoded.
func (t *Tree) Append(dst []byte) []byte {
	for _, n := range t.Nodes {
		dst = n.Append(dst)
	}
	return append(dst, t.Tail...)
}
