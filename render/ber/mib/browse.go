package mib

import (
	"sort"
	"strconv"
	"strings"

	"dcs/render/ber"
)

// Labelled returns the objects of a label, in every module that has it.
func (x *Index) Labelled(label string) []*Object {
	from, to := x.t.labelled(label)
	return x.objects(from, to)
}

// Beginning returns the objects whose labels begin with a prefix, at most some, by label.
func (x *Index) Beginning(prefix string, most int) []*Object {
	from := sort.Search(x.t.nRows, func(i int) bool { return x.t.label(i) >= prefix })
	to := from
	for to < x.t.nRows && to-from < most && strings.HasPrefix(x.t.label(to), prefix) {
		to++
	}
	return x.objects(from, to)
}

func (x *Index) objects(from, to int) []*Object {
	var all []*Object
	for row := from; row < to; row++ {
		all = append(all, x.t.object(row))
	}
	return all
}

// Under returns the objects directly under an OID, by number: of several at one OID, the one that Lookup returns.
func (x *Index) Under(oid ber.OID) []*Object {
	at, arcs := x.findOID(oid)
	if at < 0 || arcs != len(oid) {
		return nil
	}
	var all []*Object
	key := x.t.key(at)
	for next := at + 1; next < x.t.nOIDs && strings.HasPrefix(x.t.key(next), key); next++ {
		if x.t.parent(next) == at {
			all = append(all, x.t.object(x.best(x.t.rowsOf(next))))
		}
	}
	return all
}

// Path returns the labels from the root to an OID, as in "iso.org.dod.internet"; arcs without a label are numbers.
func (x *Index) Path(oid ber.OID) string {
	var path []string
	for n := 1; n <= len(oid); n++ {
		if row, arcs := x.lookup(oid[:n]); row >= 0 && arcs == n {
			path = append(path, x.t.label(row))
		} else {
			path = append(path, strconv.FormatUint(uint64(oid[n-1]), 10))
		}
	}
	return strings.Join(path, ".")
}

// IndexOf returns the objects that index a column, or the row of one; nil for one that is not in the index. known is false if
// the index is not known. implied reports that the last one has no length in an instance.
func (x *Index) IndexOf(o *Object) (index []*Object, implied, known bool) {
	oid := o.OID
	switch o.Kind {
	case Column:
	case Row:
		oid = append(oid[:len(oid):len(oid)], 0) // of any column
	default:
		return nil, false, false
	}
	rows, implied, known := x.indexOf(oid, o.Module)
	for _, row := range rows {
		if row < 0 {
			index = append(index, nil)
		} else {
			index = append(index, x.t.object(row))
		}
	}
	return index, implied, known
}
