package tlv

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"strconv"

	"dcs/render/ber/mib"
)

type jsonTree struct {
	Dialect string        `json:"dialect"`
	TLVs    []*jsonNode   `json:"tlvs"`
	Tail    string        `json:"tail,omitempty"`
	Notes   []jsonWarning `json:"deviations,omitempty"`
	Error   *jsonWarning  `json:"error,omitempty"`
}

type jsonWarning struct {
	Offset int    `json:"offset"`
	Text   string `json:"text"`
}

type jsonNode struct {
	Code     uint8        `json:"code"`
	Name     string       `json:"name,omitempty"`
	Offset   int          `json:"offset"`
	Length   int          `json:"length"`
	Value    any          `json:"value,omitempty"`
	Hex      *string      `json:"hex,omitempty"`
	Children *[]*jsonNode `json:"children,omitempty"`
	Note     string       `json:"note,omitempty"`
}

type jsonVarbind struct {
	OID   string `json:"oid"`
	Name  string `json:"name,omitempty"`
	Type  string `json:"type"`
	Value any    `json:"value,omitempty"`
	Hex   string `json:"hex"`
	Label string `json:"label,omitempty"`
}

// JSON returns the file as one JSON object:
//
//	{"dialect": "cm", "tlvs": [
//	  {"code": 24, "name": "UsServiceFlow", "offset": 3, "length": 7, "children": […]},
//	  {"code": 3, "name": "NetworkAccess", "offset": 0, "length": 1, "value": 1, "hex": "01"}]}
//
// offset is that of the type octet in the file, length that of the value in octets. A TLV has
// either children or hex, the octets of the value. If these are valid for the TLV's kind, there
// is also value: a number, a string (also for addresses, MAC addresses, object identifiers,
// prefixes and ports), an array of these, or for SNMP objects {"oid", "name", "type", "value",
// "hex", "label"}. name is missing if the TLV is not in the dictionary; note explains why a
// value could not be decoded. The file may have "tail", the data after the end marker, and
// "deviations" and "error", both with "offset" and "text". m supplies the names of SNMP objects
// and may be nil.
func (t *Tree) JSON(m *mib.Index) ([]byte, error) {
	p := printer{tree: t, enc: Encoder{MIB: m, Dialect: t.Dialect}}
	out := jsonTree{Dialect: t.Dialect.String(), TLVs: p.jsonNodes(t.Nodes), Tail: hex.EncodeToString(t.Tail)}
	for _, d := range t.Deviations {
		out.Notes = append(out.Notes, jsonWarning(d))
	}
	if t.Err != nil {
		out.Error = &jsonWarning{Text: t.Err.Error()}
		var e *decodeError
		if errors.As(t.Err, &e) {
			*out.Error = jsonWarning{e.Offset, e.Msg}
		}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(out)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

func (p *printer) jsonNodes(list []*Node) []*jsonNode {
	out := make([]*jsonNode, 0, len(list))
	for _, n := range list {
		j := &jsonNode{Code: n.Code, Offset: n.Offset, Length: len(n.Value), Note: n.Note}
		if n.Def != nil {
			j.Name = n.Def.Name
		}
		switch {
		case n.isGroup():
			kids := p.jsonNodes(n.Children)
			j.Children = &kids
		case !n.isMarker():
			h := hex.EncodeToString(n.Value)
			j.Hex = &h
			if n.Def != nil && n.Note == "" {
				j.Value = n.Def.codec().json(n, p.enc.MIB)
			}
		}
		out = append(out, j)
	}
	return out
}

func (v *Value) json() any {
	switch v.Type {
	case Number:
		if v.Neg {
			return json.Number("-" + strconv.FormatUint(v.Num, 10))
		}
		return v.Num
	case List:
		out := make([]any, len(v.List))
		for i := range v.List {
			out[i] = v.List[i].json()
		}
		return out
	}
	return v.describe()
}
