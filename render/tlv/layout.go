package tlv

import (
	"bytes"
	"fmt"
	"slices"

	"dcs/render/ber"
)

// ended reports whether the last top-level TLV is the end marker.
func (t *Tree) ended() bool {
	last := len(t.Nodes) - 1
	return last >= 0 && t.Nodes[last].Code == 255 && t.Nodes[last].isMarker()
}

func (t *Tree) deviate(offset int, format string, args ...any) {
	t.Deviations = append(t.Deviations, Warning{offset, fmt.Sprintf(format, args...)})
}

// deviations records where the layout differs from the compiler's.
func (t *Tree) deviations() {
	switch t.Dialect {
	case MTA:
		if last := len(t.Nodes) - 1; last < 1 || !bytes.Equal(t.Nodes[last].Raw, []byte{254, 1, 255}) {
			t.deviate(t.size, "the file does not end with the delimiter 254 1 255")
		}
		if !bytes.HasPrefix(t.Append(nil), []byte{254, 1, 1}) {
			t.deviate(0, "the file does not begin with the delimiter 254 1 1")
		}
		t.strangers(t.Nodes)
		return
	case PS:
		body := t.Nodes
		if t.ended() {
			body = body[:len(body)-1]
		} else {
			t.deviate(t.size, "no end marker (255); the compiler adds it")
		}
		if rest := bytes.TrimLeft(t.Tail, "\x00"); len(rest) > 0 {
			t.deviate(t.size-len(rest), "non-zero data after the end marker; it is lost")
		} else if len(t.Tail) > 0 {
			t.deviate(t.size-len(t.Tail), "%s after the end marker; the compiler adds none", count(len(t.Tail), "zero"))
		}
		t.strangers(body)
		return
	}
	body := t.Nodes
	end := t.size
	if t.ended() {
		body = body[:len(body)-1]
		end = t.Nodes[len(t.Nodes)-1].Offset
		want := (4 - (end+1)%4) % 4
		rest := bytes.TrimLeft(t.Tail, "\x00")
		switch {
		case len(rest) > 0:
			t.deviate(t.size-len(rest), "non-zero data after the end marker; it is lost")
		case len(t.Tail) != want:
			t.deviate(end+1, "%s after the end marker; the compiler adds %d", count(len(t.Tail), "zero"), want)
		}
	} else {
		t.deviate(end, "no end marker (255); the compiler adds it")
	}
	place := len(body) - 1
	if place >= 0 && body[place].Code == 7 {
		place--
	}
	for _, code := range []uint8{6, 7} {
		name := "CmMic"
		if code == 7 {
			name, place = "CmtsMic", len(body)-1
		}
		found := false
		for j, n := range body {
			if n.Code != code {
				continue
			}
			switch {
			case found:
				t.deviate(n.Offset, "duplicate %s; the compiler adds one", name)
			case j != place:
				t.deviate(n.Offset, "%s is not at the end; the compiler adds it there", name)
			case n.Note != "":
				t.deviate(n.Offset, "%s of %s; the compiler's has 16", name, count(len(n.Value), "octet"))
			}
			found = true
		}
		if !found {
			t.deviate(end, "%s is missing; the compiler adds it", name)
		}
	}
}

// strangers records TLVs that the compiler adds to a modem's file but not to this one.
func (t *Tree) strangers(list []*Node) {
	for _, n := range list {
		if n.Def != nil && n.Def.computed() != nil {
			t.deviate(n.Offset, "%s does not belong in this kind of file; it is lost", n.Def.Name)
		}
	}
}

// The objects that contain an MTA file's hash, by the argument of the hash statement.
var hashes = [...]struct {
	variant string
	oid     ber.OID
}{
	{"na", ber.OID{1, 3, 6, 1, 4, 1, 4491, 2, 2, 1, 1, 2, 7, 0}}, // PacketCable
	{"eu", ber.OID{1, 3, 6, 1, 4, 1, 7432, 1, 1, 2, 9, 0}},       // EuroPacketCable
	{"ietf", ber.OID{1, 3, 6, 1, 2, 1, 140, 1, 2, 11, 0}},        // RFC 4682
}

// hashVariant returns the argument of the hash statement for a TLV at the top level of an MTA's file that sets one of the hash
// objects, "" for any other.
func (n *Node) hashVariant() string {
	if n.Code != 11 && n.Code != 64 {
		return ""
	}
	vb, err := ber.ParseVarbind(n.Value)
	if err != nil || vb.Tag != ber.OctetString {
		return ""
	}
	for _, h := range hashes {
		if slices.Equal(h.oid, vb.OID) {
			return h.variant
		}
	}
	return ""
}
