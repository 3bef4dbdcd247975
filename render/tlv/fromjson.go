package tlv

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"dcs/render/ber/mib"
)

// maxJSONDepth is how deep TLVs of a document may nest, more than the dictionary does.
const maxJSONDepth = 16

// ReadJSON returns the file that a document in the form of [Tree.JSON] describes, octet for octet: MICs, end marker and padding are
// those of the document. A TLV needs code or name, and hex, value or children; value may only repeat what hex says. offset, length,
// note and deviations are not read. m supplies the names of SNMP objects and may be nil. Errors begin with the path in the document,
// and so do the texts that warn is called with, of values that may not be intended; it may be nil.
func ReadJSON(doc []byte, m *mib.Index, warn func(msg string)) ([]byte, Dialect, error) {
	r := jsonReader{enc: Encoder{MIB: m}, warn: warn}
	f, err := r.object("", doc, "dialect", "tlvs", "tail", "deviations", "error")
	if err != nil {
		return nil, CM, err
	}
	if f["error"] != nil {
		return nil, CM, jsonErr("error", "the file was broken off, and its end is not in the document; decode the whole file")
	}
	if f["dialect"] != nil {
		var name string
		i := -1
		if json.Unmarshal(f["dialect"], &name) == nil {
			i = slices.Index(dialectNames[:], name)
		}
		if i < 0 {
			return nil, CM, jsonErr("dialect", "expected cm, mta, ps or dpoe")
		}
		r.enc.Dialect = Dialect(i)
	}
	if f["tlvs"] == nil {
		return nil, CM, jsonErr("tlvs", "missing: the array of TLVs")
	}
	file, err := r.list(nil, Root(r.enc.Dialect), "tlvs", f["tlvs"])
	if err == nil && f["tail"] != nil {
		file, err = appendJSONHex(file, "tail", f["tail"])
	}
	return file, r.enc.Dialect, err
}

func jsonErr(path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if path == "" {
		return fmt.Errorf("%s", text)
	}
	return fmt.Errorf("%s: %s", path, text)
}

type jsonReader struct {
	enc   Encoder
	depth int
	warn  func(msg string)
}

// append appends the TLV of the value at a path. Only here does the encoder warn, as it encodes some values more than once.
func (r *jsonReader) append(dst []byte, d *Def, path string, vals []Value) ([]byte, error) {
	enc := r.enc
	if r.warn != nil {
		enc.Warn = func(msg string) { r.warn(path + ": " + msg) }
	}
	out, err := enc.AppendTLV(dst, d, FormPlain, vals)
	if err != nil {
		return dst, jsonErr(path, "%s", message(err))
	}
	return out, nil
}

// object parses an object that has only these keys.
func (r *jsonReader) object(path string, raw []byte, keys ...string) (map[string]json.RawMessage, error) {
	var out map[string]json.RawMessage
	if err := json.Unmarshal(raw, &out); err != nil || out == nil {
		return nil, jsonErr(path, "expected an object with the keys %s", strings.Join(keys, ", "))
	}
	for k := range out {
		if !slices.Contains(keys, k) {
			return nil, jsonErr(path, "unknown key %.40q; expected %s", k, strings.Join(keys, ", "))
		}
	}
	return out, nil
}

func appendJSONHex(dst []byte, path string, raw []byte) ([]byte, error) {
	var s string
	if json.Unmarshal(raw, &s) != nil {
		return dst, jsonErr(path, "expected a string of hexadecimal digits")
	}
	out, err := hex.AppendDecode(dst, []byte(s))
	if err != nil {
		return dst, jsonErr(path, "expected a string of hexadecimal digits, two for an octet, got %.40q", s)
	}
	return out, nil
}

// list appends the TLVs of an array. parent is nil if the dictionary does not have their group.
func (r *jsonReader) list(dst []byte, parent *Def, path string, raw []byte) ([]byte, error) {
	if r.depth++; r.depth > maxJSONDepth {
		return dst, jsonErr(path, "TLVs nest deeper than %d levels", maxJSONDepth)
	}
	defer func() { r.depth-- }()
	var list []json.RawMessage
	if err := json.Unmarshal(raw, &list); err != nil || list == nil {
		return dst, jsonErr(path, "expected an array of TLVs")
	}
	nodes := make([]map[string]json.RawMessage, len(list))
	var err error
	for i := range list {
		nodes[i], err = r.object(path+"["+strconv.Itoa(i)+"]", list[i], "code", "name", "offset", "length", "value", "hex", "children", "note")
		if err != nil {
			return dst, err
		}
	}
	other := parent != nil && parent.Kind == KindVendorGroup && !r.general(parent, nodes)
	for i, n := range nodes {
		place := path + "[" + strconv.Itoa(i) + "]"
		d, err := r.def(parent, place, n)
		if err == nil && other && d.Code != 8 {
			d, err = r.def(nil, place, n)
		}
		if err != nil {
			return dst, err
		}
		if dst, err = r.tlv(dst, d, place, n); err != nil {
			return dst, err
		}
	}
	return dst, nil
}

// general reports whether the TLVs of a vendor group are the general extensions: their OUI is ffffff.
func (r *jsonReader) general(group *Def, nodes []map[string]json.RawMessage) bool {
	for _, n := range nodes {
		if d, err := r.def(group, "", n); err == nil && d.Code == 8 {
			var oui string
			return json.Unmarshal(n["hex"], &oui) == nil && strings.EqualFold(oui, "ffffff") ||
				json.Unmarshal(n["value"], &oui) == nil && strings.EqualFold(oui, "0xffffff")
		}
	}
	return false
}

// def returns the definition of a TLV by its code and name, of which one may be missing. What the dictionary does not have is octets.
func (r *jsonReader) def(parent *Def, path string, n map[string]json.RawMessage) (*Def, error) {
	var byName *Def
	var name string
	if n["name"] != nil {
		if json.Unmarshal(n["name"], &name) != nil {
			return nil, jsonErr(path+".name", "expected a keyword")
		}
		if parent == nil {
			return nil, jsonErr(path+".name", "no keywords are known here; give code")
		}
		d, _, ok := parent.Child(name)
		if !ok {
			return nil, jsonErr(path+".name", "%s", parent.Misplaced(shorten(name)))
		}
		byName = d
	}
	if n["code"] == nil {
		if byName == nil {
			return nil, jsonErr(path, "missing code or name")
		}
		return byName, nil
	}
	var code uint8
	if json.Unmarshal(n["code"], &code) != nil {
		return nil, jsonErr(path+".code", "expected a number from 0 to 255, got %.40s", n["code"])
	}
	if byName != nil && byName.Code != code {
		return nil, jsonErr(path+".code", "%d is not the code of %s, which is %d; change both, or remove one", code, byName.Name, byName.Code)
	}
	if parent != nil {
		if d, ok := parent.ChildByCode(code); ok {
			return d, nil
		}
	}
	return &Def{Code: code, Kind: KindBytes, LenMax: 255}, nil
}

// tlv appends one TLV.
func (r *jsonReader) tlv(dst []byte, d *Def, path string, n map[string]json.RawMessage) ([]byte, error) {
	start := len(dst)
	var err error
	switch {
	case d.LenBytes() == 0:
		for _, key := range []string{"hex", "value", "children"} {
			if n[key] != nil {
				return dst, jsonErr(path+"."+key, "%s has no value; remove it", d.Name)
			}
		}
		return append(dst, d.Code), nil
	case n["children"] != nil:
		if n["hex"] != nil || n["value"] != nil {
			return dst, jsonErr(path, "either children, or hex and value, not both")
		}
		inner := d
		if !d.Group() {
			inner = nil
		}
		dst, err = r.list(d.OpenGroup(dst), inner, path+".children", n["children"])
	case n["hex"] != nil:
		dst, err = appendJSONHex(d.OpenGroup(dst), path+".hex", n["hex"])
	case n["value"] != nil:
		return r.value(dst, d, path+".value", n["value"])
	default:
		return dst, jsonErr(path, "missing hex, value or children")
	}
	if err != nil {
		return dst, err
	}
	most := 255
	if d.LenBytes() == 2 {
		most = 65535
	}
	head := start + 1 + d.LenBytes()
	size := len(dst) - head
	if size > most {
		return dst, jsonErr(path, "%s do not fit in one TLV, which holds at most %d", count(size, "octet"), most)
	}
	for i, rest := head-1, size; i > start; i, rest = i-1, rest>>8 {
		dst[i] = byte(rest)
	}
	if n["value"] != nil && !r.agrees(d, dst[head:], n["value"]) {
		return dst, jsonErr(path+".value", "hex says otherwise; change both, or remove hex")
	}
	return dst, nil
}

// agrees reports whether a value is what JSON writes for the octets. The names of SNMP objects depend on the MIB modules that were read,
// and count only if both have one.
func (r *jsonReader) agrees(d *Def, octets []byte, value []byte) bool {
	own, err := json.Marshal(d.codec().json(&Node{Def: d, Code: d.Code, Value: octets}, r.enc.MIB))
	if err != nil {
		return false
	}
	have, want := anyJSON(own), anyJSON(value)
	if h, ok := have.(map[string]any); ok {
		w, _ := want.(map[string]any)
		for _, key := range []string{"name", "label"} {
			if h[key] == nil || w[key] == nil {
				delete(h, key)
				delete(w, key)
			}
		}
	}
	return reflect.DeepEqual(have, want)
}

// anyJSON parses a value; nil if it is none.
func anyJSON(raw []byte) any {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var v any
	if dec.Decode(&v) != nil {
		return nil
	}
	return v
}

// value appends a TLV that has only a value.
func (r *jsonReader) value(dst []byte, d *Def, path string, raw []byte) ([]byte, error) {
	if d.Kind.Varbind() {
		return r.varbind(dst, d, path, raw)
	}
	v, err := jsonValue(path, raw)
	if err != nil {
		return dst, err
	}
	vals := []Value{v}
	if d.Kind == KindWriteControl {
		vals = v.elements()
	}
	return r.append(dst, d, path, vals)
}

// jsonValue returns a number, a string or an array of these as a Value.
func jsonValue(path string, raw []byte) (Value, error) {
	v := anyJSON(raw)
	list, ok := v.([]any)
	if !ok {
		return jsonScalar(path, v)
	}
	out := Value{Type: List}
	for i := range list {
		el, err := jsonScalar(path+"["+strconv.Itoa(i)+"]", list[i])
		if err != nil {
			return out, err
		}
		out.List = append(out.List, el)
	}
	return out, nil
}

func jsonScalar(path string, v any) (Value, error) {
	switch v := v.(type) {
	case string:
		return Value{Type: Any, Text: v}, nil
	case json.Number:
		return Value{Type: Any, Text: v.String()}, nil
	}
	return Value{}, jsonErr(path, "expected a number, a string, or an array of these")
}
