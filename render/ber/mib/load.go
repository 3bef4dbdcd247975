package mib

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dcs/render/ber"
)

// maxModule is the largest size, in octets, of a file that is read for modules.
const maxModule = 16 << 20

// Load reads an operator's MIB modules and returns base with them added. Each path is a file, or a directory whose
// files are read, excluding subdirectories. Files without a module are ignored. A module replaces the one of the same
// name in base; among several in paths, the first is used.
//
// Imports are resolved in paths and in base, which has the standard modules, so that their texts are not needed. What is
// faulty is left out alone, whatever the fault: a definition, a file of a directory. The Warnings of the index list it, and
// Resolve explains it for the names. Where base has an object that is left out, under the same module, that stays in use.
//
// The error joins one for each path that could not be read; the index is usable even then.
func Load(base *Index, paths []string) (*Index, error) {
	l := newLoader(base)
	for _, path := range paths {
		l.path(path)
	}
	x := base
	if len(l.order) > 0 {
		own := l.objects()
		objects := make([]Object, 0, base.t.nRows+len(own))
		for row := range base.t.nRows {
			if !l.replaced(row) {
				objects = append(objects, *base.t.decode(row))
			}
		}
		t, err := tableOf(append(objects, own...), l.withTypes(l.types()))
		if err != nil {
			return base, errors.Join(append(l.errs, err)...)
		}
		x = &Index{t: t, prefer: base.prefer, own: map[string]bool{}}
		for _, m := range l.order {
			x.own[m.name] = true
		}
	} else if l.faulty {
		x = &Index{t: base.t, prefer: base.prefer}
	}
	if x != base {
		x.withheld, x.faulty, x.warnings = l.withheld, l.faulty, l.warningTexts()
	}
	return x, errors.Join(l.errs...)
}

func tableOf(objects []Object, types []Type) (*table, error) {
	data, err := Build(objects, types)
	if err != nil {
		return nil, err
	}
	return openTable(string(data))
}

type loader struct {
	base    *Index
	modules map[string]*module
	order   []*module
	errs    []error

	faulty   bool // something was left out
	warnings []*warning
	reasons  map[string]*warning
	unsaid   int                 // warnings beyond mostWarnings
	withheld map[string]withheld // by label
}

func newLoader(base *Index) *loader {
	return &loader{base: base, modules: map[string]*module{}, reasons: map[string]*warning{}, withheld: map[string]withheld{}}
}

// replaced reports whether a row of base gives way to the operator's module of the same name.
func (l *loader) replaced(row int) bool {
	m := l.modules[l.base.t.module(row)]
	return m != nil && (len(m.faults) == 0 || m.byName[l.base.t.label(row)] != nil)
}

// path reads a file or directory. What the operator named himself must be there.
func (l *loader) path(path string) {
	info, err := os.Stat(path)
	if err == nil && !info.IsDir() {
		err = l.file(path)
	}
	var entries []os.DirEntry
	if err == nil && info.IsDir() {
		entries, err = os.ReadDir(path)
	}
	if err != nil {
		l.faulty = true
		l.errs = append(l.errs, fmt.Errorf("MIB modules: %w", err))
	}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		// Stat follows links: directories of links to modules are common.
		info, err := os.Stat(name)
		if err == nil && info.Mode().IsRegular() {
			err = l.file(name)
		}
		if err != nil {
			l.warnf("MIB modules: %v; leaving it out", err)
		}
	}
}

// readFile reads a regular file. It does not block on other files.
func readFile(path string) ([]byte, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "read", Path: path, Err: errors.New("not a regular file")}
	}
	src, err := io.ReadAll(io.LimitReader(f, maxModule+1))
	if err == nil && len(src) > maxModule {
		return nil, &fs.PathError{Op: "read", Path: path, Err: fmt.Errorf("larger than %d octets, the limit for a MIB module", maxModule)}
	}
	return src, err
}

func (l *loader) file(path string) error {
	src, err := readFile(path)
	if err != nil {
		return err
	}
	text := string(src)
	if !holdsModule(text) {
		return nil
	}
	modules, err := parseModules(text)
	if err != nil {
		l.warnf("%s:%v; leaving the file out", path, err)
	}
	for _, m := range modules {
		m.file = path
		first := l.modules[m.name]
		if m.name == "" {
			l.parsed(m, text)
			continue
		}
		if first == nil {
			l.modules[m.name] = m
			l.order = append(l.order, m)
			l.parsed(m, text)
			continue
		}
		// Across directories the order of paths decides. Within one it would be the order of file names, which is
		// arbitrary.
		if filepath.Dir(first.file) == filepath.Dir(path) && !first.defines(m) {
			l.warnf("%s:%d: module %s is also defined, differently, in %s, which takes precedence; remove one of them", path, m.line, m.name, first.file)
		}
	}
	return nil
}

// holdsModule reports whether a file's text contains a module.
func holdsModule(text string) bool {
	for {
		_, rest, found := strings.Cut(text, "DEFINITIONS")
		if !found {
			return false
		}
		if strings.HasPrefix(strings.TrimLeft(rest, " \t\r\n"), "::=") {
			return true
		}
		text = rest
	}
}

// objects returns the objects of the modules for the index.
func (l *loader) objects() []Object {
	type found struct {
		m   *module
		def *smiObject
		o   Object
	}
	var all []found
	rows := map[string]bool{} // keys of the OIDs of rows
	for _, m := range l.order {
		for _, def := range m.objects {
			oid, err := l.oid(m, def)
			if err == nil {
				err = oid.Check()
			}
			if err != nil {
				l.leave(m, def, err)
				continue
			}
			o := Object{
				Label: def.name, Module: m.name, OID: oid, Kind: l.kind(m, def),
				Index: def.index, Implied: def.implied, Augments: def.augments,
				Access: def.access, Status: def.status, Edition: m.edition,
			}
			if o.Kind == Row {
				rows[string(appendKey(nil, oid))] = true
			}
			all = append(all, found{m, def, o})
		}
	}
	objects := make([]Object, len(all))
	for i, f := range all {
		o := f.o
		switch o.Kind {
		case Node, Identity, Notification:
			o.Access, o.Status = "", "" // as in the built-in index
		case Scalar:
			parent := o.OID[:len(o.OID)-1]
			if rows[string(appendKey(nil, parent))] || l.baseRow(parent) {
				o.Kind = Column
			}
			l.describe(f.m, f.def, &o)
		}
		objects[i] = o
	}
	return objects
}

func (l *loader) baseRow(oid ber.OID) bool {
	if len(oid) == 0 {
		return false
	}
	row, arcs := l.base.lookup(oid)
	return row >= 0 && arcs == len(oid) && l.base.t.kind(row) == Row && !l.replaced(row)
}

// errDepends is the error for an object whose parent was left out, which a warning has told already.
var errDepends = errors.New("its OID depends on one that was left out")

// oid returns the OID of an object.
func (l *loader) oid(m *module, def *smiObject) (ber.OID, error) {
	switch def.state {
	case underway:
		return nil, errors.New("its OID is defined in terms of itself")
	case resolved:
		if def.value == nil {
			return nil, errDepends
		}
		return def.value, nil
	}
	def.state = underway
	oid, err := l.oidValue(m, def)
	def.state = resolved
	if err != nil {
		return nil, err
	}
	if len(oid) > ber.MaxArcs {
		return nil, fmt.Errorf("more than %d arcs", ber.MaxArcs)
	}
	def.value = oid
	return oid, nil
}

func (l *loader) oidValue(m *module, def *smiObject) (oid ber.OID, err error) {
	arcs := def.oid
	switch {
	case def.enterprise != "":
		// RFC 3584, section 3.1: a trap is enterprise.0.number.
		if oid, err = l.named(m, def.enterprise); err != nil {
			return nil, err
		}
		oid = append(append(ber.OID(nil), oid...), 0)
	case !arcs[0].known:
		if oid, err = l.named(m, arcs[0].name); err != nil {
			return nil, err
		}
		arcs = arcs[1:]
	}
	oid = append(make(ber.OID, 0, len(oid)+len(arcs)), oid...)
	for _, a := range arcs {
		if !a.known {
			// A name in the middle, as in { iso org 6 }.
			if oid, err = l.named(m, a.name); err != nil {
				return nil, err
			}
			oid = append(ber.OID(nil), oid...)
			continue
		}
		oid = append(oid, a.number)
	}
	return oid, nil
}

// named returns the OID of a name that a module uses: one that it defines or imports, or a root.
func (l *loader) named(m *module, name string) (ber.OID, error) {
	if def := m.byName[name]; def != nil {
		return l.oid(m, def)
	}
	t := l.base.t
	lo, hi := t.labelled(name)
	from, imported := m.imports[name]
	if imported {
		if w, left := l.withheld[name]; left && w.module == from && l.base.inModule(lo, hi, from) < 0 {
			return nil, fmt.Errorf("%s is imported from %s, where it was left out", name, from)
		}
		if other := l.modules[from]; other != nil && other != m {
			if def := other.byName[name]; def != nil {
				return l.oid(other, def)
			}
		}
		if row := l.base.inModule(lo, hi, from); row >= 0 {
			return appendKeyOID(nil, t.key(t.oidOf(row))), nil
		}
	}
	// Modules move from RFC to RFC and are imported by old names, so that any module will do if the label is
	// unambiguous.
	row := l.base.choose(lo, hi)
	switch {
	case row >= 0:
		return appendKeyOID(nil, t.key(t.oidOf(row))), nil
	case lo < hi:
		return nil, fmt.Errorf("%s is ambiguous: %s; it must be imported from one of them", name, l.base.places(lo, hi))
	case imported:
		return nil, fmt.Errorf("%s is imported from %s, which is neither loaded nor built in", name, from)
	}
	return nil, fmt.Errorf("%s is neither defined nor imported", name)
}
