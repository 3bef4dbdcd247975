package mib

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// Build builds the index of objects and types in the format embedded in the program. The result does not
// depend on their order, except for objects of equal label, OID and module, which keep theirs.
func Build(objs []Object, types []Type) ([]byte, error) {
	objects := make([]*Object, len(objs))
	for i := range objs {
		objects[i] = &objs[i]
	}
	slices.SortStableFunc(objects, func(a, b *Object) int {
		return cmp.Or(
			strings.Compare(a.Label, b.Label),
			slices.Compare(a.OID, b.OID),
			strings.Compare(a.Module, b.Module),
		)
	})

	// Offset 0 and dict number 0 stand for the empty value.
	b := builder{
		blob: append(make([]byte, 0, 64*len(objs)), 0), dict: []uint32{0},
		seen: make(map[string]uint32, 2*len(objs)), shared: map[string]uint16{},
	}
	type keyed struct {
		key string
		row uint32
	}
	keys := make([]keyed, len(objects))
	for i, o := range objects {
		if err := o.OID.Check(); err != nil {
			return nil, fmt.Errorf("%s::%s: %w", o.Module, o.Label, err)
		}
		if o.Label == "" {
			return nil, fmt.Errorf("%s: object without a name at %v", o.Module, o.OID)
		}
		keys[i] = keyed{string(appendKey(nil, o.OID)), uint32(i)}
	}
	slices.SortFunc(keys, func(a, b keyed) int {
		return cmp.Or(strings.Compare(a.key, b.key), cmp.Compare(a.row, b.row))
	})

	var oids, byOID []byte
	oidOf := make([]uint32, len(objects))
	var ancestors []int // numbers of the OIDs that contain the current one
	var distinct []string
	for i, k := range keys {
		if i == 0 || k.key != keys[i-1].key {
			for len(ancestors) > 0 && !strings.HasPrefix(k.key, distinct[ancestors[len(ancestors)-1]]) {
				ancestors = ancestors[:len(ancestors)-1]
			}
			parent := uint32(noParent)
			if len(ancestors) > 0 {
				parent = uint32(ancestors[len(ancestors)-1])
			}
			ancestors = append(ancestors, len(distinct))
			distinct = append(distinct, k.key)
			oids = binary.LittleEndian.AppendUint32(oids, b.string(k.key))
			oids = binary.LittleEndian.AppendUint32(oids, parent)
			oids = binary.LittleEndian.AppendUint32(oids, uint32(i))
		}
		oidOf[k.row] = uint32(len(distinct) - 1)
		byOID = binary.LittleEndian.AppendUint32(byOID, k.row)
	}

	rows := make([]byte, 0, len(objects)*rowSize)
	for i, o := range objects {
		rows = binary.LittleEndian.AppendUint32(rows, b.string(o.Label))
		rows = binary.LittleEndian.AppendUint32(rows, oidOf[i])
		for _, value := range [][]byte{
			appendString(nil, o.Module), appendString(nil, o.TC),
			encodeEnums(o.Enums), encodeRanges(o.Ranges), encodeIndex(o),
		} {
			rows = binary.LittleEndian.AppendUint16(rows, b.share(value))
		}
		rows = append(rows, byte(o.Kind), byte(o.Syntax), nameNumber(accessNames[:], o.Access), nameNumber(statusNames[:], o.Status)|later(o))
		rows = binary.LittleEndian.AppendUint16(rows, b.share(appendString(nil, o.Edition)))
	}

	types = slices.Clone(types)
	slices.SortStableFunc(types, func(a, b Type) int {
		return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Module, b.Module))
	})
	var typeRows []byte
	for _, t := range types {
		typeRows = binary.LittleEndian.AppendUint32(typeRows, b.string(t.Name))
		for _, value := range [][]byte{
			appendString(nil, t.Module), encodeEnums(t.Enums), encodeRanges(t.Ranges), appendString(nil, t.Hint), appendString(nil, t.Parent),
		} {
			typeRows = binary.LittleEndian.AppendUint16(typeRows, b.share(value))
		}
		typeRows = append(typeRows, byte(t.Syntax), nameNumber(statusNames[:], t.Status))
	}
	if b.full {
		return nil, fmt.Errorf("MIB index: more than %d different modules, types, enumerations, ranges and indices", math.MaxUint16)
	}
	if len(b.blob) > math.MaxUint32 {
		return nil, fmt.Errorf("MIB index: %d octets of names, more than 4 GiB", len(b.blob))
	}

	var head, dict []byte
	for _, n := range []int{len(objects), len(distinct), len(keys), len(b.dict), len(types), len(b.blob)} {
		head = binary.LittleEndian.AppendUint32(head, uint32(n))
	}
	for _, off := range b.dict {
		dict = binary.LittleEndian.AppendUint32(dict, off)
	}
	return slices.Concat([]byte(magic), head, rows, oids, byOID, dict, typeRows, b.blob), nil
}

func later(o *Object) byte {
	if o.Later {
		return laterBit
	}
	return 0
}

func nameNumber(names []string, name string) byte {
	return byte(max(slices.Index(names, name), 0))
}

// builder builds the blob and the dict of shared values.
type builder struct {
	blob   []byte
	dict   []uint32
	seen   map[string]uint32 // strings in the blob
	shared map[string]uint16 // values in dict
	full   bool
}

func (b *builder) string(s string) uint32 {
	if s == "" {
		return 0
	}
	off, ok := b.seen[s]
	if !ok {
		off = uint32(len(b.blob))
		b.blob = appendString(b.blob, s)
		b.seen[s] = off
	}
	return off
}

func (b *builder) share(value []byte) uint16 {
	if len(value) == 0 || len(value) == 1 && value[0] == 0 {
		return 0
	}
	id, ok := b.shared[string(value)]
	if !ok {
		if len(b.dict) > math.MaxUint16 {
			b.full = true
			return 0
		}
		id = uint16(len(b.dict))
		b.dict = append(b.dict, uint32(len(b.blob)))
		b.blob = append(b.blob, value...)
		b.shared[string(value)] = id
	}
	return id
}
