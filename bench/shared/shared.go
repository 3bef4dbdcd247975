// Package shared finds the memory that one worker writes and another one can reach. It is for tests.
package shared

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"unsafe"
)

// Line is the size of a cache line in octets.
const Line = 64

// A Reach is the memory that can be reached from a value: by pointers, slices, maps, channels and interfaces, in unexported
// fields too. Not in it is what only an unsafe.Pointer leads to (such as the content of a sync.Pool), memory that is mapped and known by an
// address alone, what functions have captured, and package variables.
type Reach struct {
	objects []object // by address
	spans   []span   // of all objects, disjoint, by address
	except  []string
	seen    map[key]bool
	flat    map[reflect.Type]bool // contains no pointers
	locks   map[reflect.Type][]lockField
}

type object struct {
	at  unsafe.Pointer
	typ reflect.Type
}

type key struct {
	at  unsafe.Pointer
	typ reflect.Type
}

type span struct{ from, to uintptr }

// Of returns what can be reached from a value, which must not change meanwhile, without what only some fields lead to: their names
// are as in Written.
func Of(root reflect.Value, except ...string) *Reach {
	r := &Reach{except: except, seen: map[key]bool{}, flat: map[reflect.Type]bool{}, locks: map[reflect.Type][]lockField{}}
	r.walk(root)
	slices.SortFunc(r.objects, func(a, b object) int { return cmp.Compare(uintptr(a.at), uintptr(b.at)) })
	for _, o := range r.objects {
		s := span{uintptr(o.at), uintptr(o.at) + o.typ.Size()}
		if n := len(r.spans); n > 0 && s.from <= r.spans[n-1].to {
			r.spans[n-1].to = max(r.spans[n-1].to, s.to)
		} else {
			r.spans = append(r.spans, s)
		}
	}
	return r
}

// add adds an object of a type, and what it leads to.
func (r *Reach) add(at unsafe.Pointer, typ reflect.Type) {
	if at == nil || typ.Size() == 0 || r.seen[key{at, typ}] {
		return
	}
	r.seen[key{at, typ}] = true
	r.objects = append(r.objects, object{at, typ})
	r.walk(reflect.NewAt(typ, at).Elem())
}

func (r *Reach) walk(v reflect.Value) {
	if !v.IsValid() || r.isFlat(v.Type()) {
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		r.add(v.UnsafePointer(), v.Type().Elem())
	case reflect.Slice:
		r.add(v.UnsafePointer(), reflect.ArrayOf(v.Cap(), v.Type().Elem()))
	case reflect.Interface:
		r.walk(v.Elem())
	case reflect.Array:
		for i := range v.Len() {
			r.walk(v.Index(i))
		}
	case reflect.Struct:
		t := v.Type()
		if t.PkgPath() == "sync/atomic" && strings.HasPrefix(t.Name(), "Pointer[") {
			r.add(v.FieldByName("v").UnsafePointer(), t.Field(0).Type.Elem().Elem()) // the first field is [0]*T
			return
		}
		for i := range v.NumField() {
			if !slices.Contains(r.except, t.String()+"."+t.Field(i).Name) {
				r.walk(v.Field(i))
			}
		}
	case reflect.Map:
		r.add(v.UnsafePointer(), reflect.TypeFor[mapHeader]())
		for i := v.MapRange(); i.Next(); {
			r.walk(i.Key())
			r.walk(i.Value())
		}
	case reflect.Chan:
		r.add(v.UnsafePointer(), reflect.TypeFor[chanHeader]())
	}
}

// What changes of a map or channel when it is written to is in the first words that the runtime has of it (Go 1.26).
type (
	mapHeader  [4]uint64
	chanHeader [8]uint64
)

// isFlat reports whether values of a type lead nowhere. Functions do not, as what they have captured cannot be seen.
func (r *Reach) isFlat(t reflect.Type) bool {
	flat, known := r.flat[t]
	if known {
		return flat
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Interface, reflect.Map, reflect.Chan:
	case reflect.Array:
		flat = t.Len() == 0 || r.isFlat(t.Elem())
	case reflect.Struct:
		flat = !strings.HasPrefix(t.Name(), "Pointer[")
		for i := 0; flat && i < t.NumField(); i++ {
			flat = r.isFlat(t.Field(i).Type)
		}
	default:
		flat = true
	}
	r.flat[t] = flat
	return flat
}

// in calls yield for the parts of [from, to) that are in r.
func (r *Reach) in(from, to uintptr, yield func(from, to uintptr)) {
	i, _ := slices.BinarySearchFunc(r.spans, from, func(s span, at uintptr) int {
		if s.to <= at {
			return -1
		}
		return 1
	})
	for ; i < len(r.spans) && r.spans[i].from < to; i++ {
		yield(max(from, r.spans[i].from), min(to, r.spans[i].to))
	}
}

// lines returns r widened to whole cache lines.
func (r *Reach) lines() *Reach {
	w := &Reach{}
	for _, s := range r.spans {
		s.from, s.to = s.from/Line*Line, (s.to+Line-1)/Line*Line
		if n := len(w.spans); n > 0 && s.from <= w.spans[n-1].to {
			w.spans[n-1].to = max(w.spans[n-1].to, s.to)
		} else {
			w.spans = append(w.spans, s)
		}
	}
	return w
}
