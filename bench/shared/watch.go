package shared

import (
	"reflect"
	"slices"
	"sync"
	"unsafe"
)

// A Watch is a copy of the memory of a worker that lies on cache lines which another one can reach. It does not see a write that leaves
// a word as it was.
type Watch struct{ pieces []piece }

type piece struct {
	of   object
	off  uintptr
	copy []byte
}

// Begin copies what one worker reaches and another one, or what shares a cache line with that. Both workers must be at rest, as for
// Written, and what they reach must not be freed in between.
func Begin(one, other *Reach) *Watch {
	w, lines := &Watch{}, other.lines()
	for _, o := range one.objects {
		at := uintptr(o.at)
		lines.in(at, at+o.typ.Size(), func(from, to uintptr) {
			p := piece{of: o, off: from - at}
			p.copy = slices.Clone(p.now(int(to - from)))
			w.pieces = append(w.pieces, p)
		})
	}
	return w
}

// Hold takes the mutexes that both workers reach: a worker that needs one waits until they are released. Mutexes that are locked are
// left out. A [sync.RWMutex] is taken for writing, as readers write to it too.
func Hold(one, other *Reach) (release func()) {
	var held []lock
	for _, o := range one.objects {
		for _, l := range one.mutexes(o.typ) {
			at := unsafe.Add(o.at, l.off)
			both := false
			other.in(uintptr(at), uintptr(at)+1, func(uintptr, uintptr) { both = true })
			if m := l.at(at); both && m.TryLock() { // once: one that is held cannot be taken again
				held = append(held, m)
			}
		}
	}
	return func() {
		for _, m := range held {
			m.Unlock()
		}
	}
}

// A lock is a sync.Mutex or sync.RWMutex.
type lock interface {
	TryLock() bool
	Unlock()
}

// A lockField is a lock in values of a type.
type lockField struct {
	off uintptr
	rw  bool
}

func (l lockField) at(p unsafe.Pointer) lock {
	if l.rw {
		return (*sync.RWMutex)(p)
	}
	return (*sync.Mutex)(p)
}

// mutexes returns the locks in values of a type.
func (r *Reach) mutexes(t reflect.Type) (at []lockField) {
	if known, ok := r.locks[t]; ok {
		return known
	}
	switch {
	case t == reflect.TypeFor[sync.Mutex]():
		at = append(at, lockField{})
	case t == reflect.TypeFor[sync.RWMutex](): // not the mutex in it, which readers do not take
		at = append(at, lockField{rw: true})
	case t.Kind() == reflect.Array && t.Len() > 0:
		for _, l := range r.mutexes(t.Elem()) {
			for i := range t.Len() {
				at = append(at, lockField{l.off + uintptr(i)*t.Elem().Size(), l.rw})
			}
		}
	case t.Kind() == reflect.Struct:
		for i := range t.NumField() {
			for _, l := range r.mutexes(t.Field(i).Type) {
				at = append(at, lockField{t.Field(i).Offset + l.off, l.rw})
			}
		}
	}
	r.locks[t] = at
	return at
}

// now returns the memory itself.
//
//go:nocheckptr
func (p *piece) now(n int) []byte { return unsafe.Slice((*byte)(unsafe.Add(p.of.at, p.off)), n) }

// Written returns the names of the fields that have changed since Begin, sorted: package, type and field. Mutexes, which goroutines besides
// the workers take too, are left to Hold.
//
//go:norace
func (w *Watch) Written() []string {
	var names []string
	for i := range w.pieces {
		p := &w.pieces[i]
		for at, b := range p.now(len(p.copy)) {
			if b != p.copy[at] {
				if n := name(p.of.typ, p.off+uintptr(at)); n != "" {
					names = append(names, n)
				}
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// name returns the name of the field of a type at an offset: that of the innermost struct which is not of the packages sync and
// sync/atomic. In a mutex it is empty.
func name(t reflect.Type, off uintptr) string {
	last := t.String()
	for {
		switch t.Kind() {
		case reflect.Array:
			off %= t.Elem().Size()
			t = t.Elem()
		case reflect.Struct:
			if t == reflect.TypeFor[sync.Mutex]() || t == reflect.TypeFor[sync.RWMutex]() {
				return ""
			}
			if t.PkgPath() == "sync/atomic" || t.PkgPath() == "sync" || t.PkgPath() == "internal/sync" {
				return last
			}
			i := t.NumField() - 1
			for t.Field(i).Offset > off {
				i--
			}
			f := t.Field(i)
			if t.Name() == "" {
				last += "." + f.Name
			} else {
				last = t.String() + "." + f.Name
			}
			t, off = f.Type, off-f.Offset
		default:
			return last
		}
	}
}
