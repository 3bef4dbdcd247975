package mib

import (
	"fmt"
	"iter"
	"sort"
)

// typed returns the types of a name: from up to, but not including, to.
func (t *table) typed(name string) (from, to int) {
	from = sort.Search(t.nTypes, func(i int) bool { return t.typeName(i) >= name })
	to = from
	for to < t.nTypes && t.typeName(to) == name {
		to++
	}
	return from, to
}

func (t *table) typeName(i int) string { return t.text(le32(t.types, i*typeSize+typeName)) }

func (t *table) typeValue(i, field int) string { return t.dictValue(le16(t.types, i*typeSize+field)) }

func (t *table) typeAt(i int) Type {
	return Type{
		Name: t.typeName(i), Module: dictText(t.typeValue(i, typeModule)),
		Syntax: Syntax(t.types[i*typeSize+typeSyntax]),
		Enums:  decodeEnums(t.typeValue(i, typeEnums)), Ranges: decodeRanges(t.typeValue(i, typeRanges)),
		Hint: dictText(t.typeValue(i, typeHint)), Parent: dictText(t.typeValue(i, typeParent)),
		Status: statusNames[t.types[i*typeSize+typeStatus]],
	}
}

// TypesOf returns the types of a name, one for each module that defines it.
func (x *Index) TypesOf(name string) []Type {
	from, to := x.t.typed(name)
	var all []Type
	for i := from; i < to; i++ {
		all = append(all, x.t.typeAt(i))
	}
	return all
}

// standardTypes is the module whose types count where a module does not import them from one that is known.
const standardTypes = "SNMPv2-TC"

// typeNamed returns the type that a module means by a name that it imports from another: types move from module to module,
// so that any will do if the name is of one module, of the standard, or has one syntax everywhere. In the last case only what all agree
// on counts. The error says only the cause.
func (x *Index) typeNamed(name, from string) (Type, error) {
	all := x.TypesOf(name)
	for _, wanted := range []string{from, standardTypes} {
		for _, t := range all {
			if t.Module == wanted {
				return t, nil
			}
		}
	}
	if len(all) == 0 {
		return Type{}, fmt.Errorf("%s is not known", name)
	}
	t := all[0]
	for _, o := range all[1:] {
		if o.Syntax != t.Syntax {
			return Type{}, fmt.Errorf("%s is not the same in %s and %s; import it from one of them", name, t.Module, o.Module)
		}
		if string(encodeEnums(o.Enums)) != string(encodeEnums(t.Enums)) || string(encodeRanges(o.Ranges)) != string(encodeRanges(t.Ranges)) {
			t.Enums, t.Ranges = nil, nil
		}
	}
	return t, nil
}

// Types yields every named type, by name.
func (x *Index) Types() iter.Seq[Type] {
	return func(yield func(Type) bool) {
		for i := range x.t.nTypes {
			if !yield(x.t.typeAt(i)) {
				return
			}
		}
	}
}

// withTypes adds the types of base that the modules do not replace to own.
func (l *loader) withTypes(own []Type) []Type {
	for t := range l.base.Types() {
		if m := l.modules[t.Module]; m == nil || len(m.faults) > 0 && m.types[t.Name] == nil {
			own = append(own, t)
		}
	}
	return own
}
