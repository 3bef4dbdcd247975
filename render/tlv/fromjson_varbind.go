package tlv

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"

	"dcs/render/ber"
)

// varbind appends an SNMP object given as {"oid" or "name", "type", "value" or "hex"}.
func (r *jsonReader) varbind(dst []byte, d *Def, path string, raw []byte) ([]byte, error) {
	o, err := r.object(path, raw, "oid", "name", "type", "value", "hex", "label")
	if err != nil {
		return dst, err
	}
	text := map[string]string{}
	for _, key := range []string{"oid", "name", "type", "label"} {
		var s string
		if o[key] != nil && json.Unmarshal(o[key], &s) != nil {
			return dst, jsonErr(path+"."+key, "expected a string")
		}
		text[key] = s
	}
	oid := Value{Type: Any, Text: cmp.Or(text["oid"], text["name"])}
	if named, err := r.enc.resolve(d, 0, &Value{Type: Any, Text: cmp.Or(text["name"], text["oid"])}); err == nil {
		if by, err := r.enc.resolve(d, 0, &oid); err == nil && !slices.Equal(named.OID, by.OID) {
			return dst, jsonErr(path+".name", "%s is not the object of oid; change both, or remove one", shorten(text["name"]))
		}
	}
	vals := []Value{oid, {Type: Any, Text: text["type"]}, {Type: Any, Text: text["label"]}}
	p, err := r.enc.Varbind(d, vals)
	if err != nil {
		return dst, jsonErr(path, "%s", message(err))
	}
	var octets []byte
	if o["hex"] != nil {
		if octets, err = appendJSONHex(nil, path+".hex", o["hex"]); err != nil {
			return dst, err
		}
	}
	switch {
	case o["value"] != nil:
		if vals[2], err = jsonValue(path+".value", o["value"]); err != nil {
			return dst, err
		}
	case o["hex"] != nil && p.Type.Tag() == ber.OctetString:
		vals[1].Text, vals[2] = "HexString", Value{Type: Octets, Text: string(octets)}
	case text["label"] == "":
		return dst, jsonErr(path, "missing value")
	}
	if o["value"] != nil {
		have, err := r.enc.AppendSNMPValue(nil, d, &p, vals[2:])
		if err != nil {
			return dst, jsonErr(path+".value", "%s", message(err))
		}
		if o["hex"] != nil && !bytes.Equal(have, octets) {
			return dst, jsonErr(path+".value", "hex says otherwise; change both, or remove hex")
		}
		label, err := r.enc.AppendSNMPValue(nil, d, &p, []Value{{Type: Any, Text: text["label"]}})
		if text["label"] != "" && (err != nil || !bytes.Equal(have, label)) {
			return dst, jsonErr(path+".label", "%s is not the label of value; change both, or remove label", shorten(text["label"]))
		}
	}
	return r.append(dst, d, path, vals)
}
