package library

import (
	"math"
	"strconv"
	"strings"

	"dcs/render/attr"
	"dcs/render/groups"
)

// Values are what is known of the values that devices have, by attribute: the extent of numbers, the lengths, an example.
type Values struct{ by map[string]*groups.Texts }

// Add adds the values of a device of a source with this schema. It keeps none of them but copies of examples.
func (v *Values) Add(schema *attr.Schema, d *attr.Device) {
	for i, text := range d.Values {
		if text != "" && i < schema.Len() {
			v.add(schema.Name(i), text)
		}
	}
}

func (v *Values) add(name, text string) {
	digits := strings.Trim(text, "0123456789") == ""
	n := int64(0)
	if digits { // an error is allocated
		var err error
		n, err = strconv.ParseInt(text, 10, 64)
		digits = err == nil
	}
	t := v.by[name]
	if t == nil {
		if v.by == nil {
			v.by = map[string]*groups.Texts{}
		}
		t = &groups.Texts{Example: strings.Clone(text), Digits: digits, Min: math.MaxInt64, MinLen: len(text)}
		v.by[name] = t
	}
	t.Digits = t.Digits && digits
	t.Min, t.Max = min(t.Min, n), max(t.Max, n)
	t.MinLen, t.MaxLen = min(t.MinLen, len(text)), max(t.MaxLen, len(text))
}

// in returns the values by the attributes of a schema; nil for one of which nothing is known.
func (v *Values) in(schema *attr.Schema) []*groups.Texts {
	out := make([]*groups.Texts, schema.Len())
	for i := range out {
		out[i] = v.by[schema.Name(i)]
	}
	return out
}
