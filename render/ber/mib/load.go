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
// Imports are resolved in paths and in base, which has the standard modules, so that their texts are not needed. The
// error joins one for each thing that could not be read, with file and line. The index is usable even then: a module
// with a syntax error is skipped in full, and a definition that refers to something unknown is skipped alone. Resolve
// explains this for their names. The built-in version of a skipped module stays in use.
func Load(base *Index, paths []string) (*Index, error) {
	l := newLoader(base)
	for _, path := range paths {
		l.path(path)
	}
	if len(l.order) == 0 && len(l.errs) == 0 {
		return base, nil
	}
	own := l.objects()
	objects := make([]Object, 0, base.t.nRows+len(own))
	for row := range base.t.nRows {
		if l.modules[base.t.module(row)] == nil {
			objects = append(objects, *base.t.decode(row))
		}
	}
	data, err := Build(append(objects, own...))
	if err != nil {
		return base, errors.Join(append(l.errs, err)...)
	}
	t, err := openTable(string(data))
	if err != nil {
		return base, errors.Join(append(l.errs, err)...)
	}
	return &Index{t: t, prefer: base.prefer, withheld: l.withheld, left: l.left, faulty: len(l.errs) > 0}, errors.Join(l.errs...)
}

type loader struct {
	base    *Index
	modules map[string]*module
	order   []*module
	errs    []error

	withheld map[string]withheld // by label
	left     map[string]string   // skipped modules, and why
}

func newLoader(base *Index) *loader {
	return &loader{base: base, modules: map[string]*module{}, withheld: map[string]withheld{}, left: map[string]string{}}
}

func (l *loader) failf(format string, args ...any) {
	l.errs = append(l.errs, fmt.Errorf(format, args...))
}

func (l *loader) path(path string) {
	info, err := os.Stat(path)
	if err != nil {
		l.failf("MIB modules: %w", err)
		return
	}
	if !info.IsDir() {
		l.file(path)
		return
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		l.failf("MIB modules: %w", err)
		return
	}
	for _, e := range entries {
		name := filepath.Join(path, e.Name())
		// Stat follows links: directories of links to modules are common.
		switch info, err := os.Stat(name); {
		case err != nil:
			l.failf("MIB modules: %w", err)
		case info.Mode().IsRegular():
			l.file(name)
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

func (l *loader) file(path string) {
	src, err := readFile(path)
	if err != nil {
		l.failf("MIB modules: %w", err)
		return
	}
	text := string(src)
	if !holdsModule(text) {
		return
	}
	modules, err := parseModules(text)
	for _, fault := range moduleErrors(err) {
		why := fmt.Sprintf("%s:%v", path, fault)
		l.failf("%s; skipping the module", why)
		l.withhold(text, fault.module, why)
	}
	for _, m := range modules {
		m.file = path
		first := l.modules[m.name]
		if first == nil {
			l.modules[m.name] = m
			l.order = append(l.order, m)
			continue
		}
		// Across directories the order of paths decides. Within one it would be the order of file names, which is
		// arbitrary.
		if filepath.Dir(first.file) == filepath.Dir(path) && !first.defines(m) {
			l.failf("%s:%d: module %s is also defined, differently, in %s, which takes precedence; remove one of them", path, m.line, m.name, first.file)
		}
	}
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
				why := fmt.Sprintf("%s:%d: %s: %v", m.file, def.line, def.name, err)
				l.errs = append(l.errs, errors.New(why))
				l.withholdLabel(def.name, m.name, why)
				continue
			}
			o := Object{
				Label: def.name, Module: m.name, OID: oid, Kind: l.kind(m, def),
				Index: def.index, Implied: def.implied, Augments: def.augments,
				Access: def.access, Status: def.status,
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
	return row >= 0 && arcs == len(oid) && l.base.t.kind(row) == Row && l.modules[l.base.t.module(row)] == nil
}

// oid returns the OID of an object.
func (l *loader) oid(m *module, def *smiObject) (ber.OID, error) {
	switch def.state {
	case underway:
		return nil, errors.New("its OID is defined in terms of itself")
	case resolved:
		if def.value == nil {
			return nil, errors.New("its OID depends on an unknown one")
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
	if imported && l.modules[from] == nil && l.left[from] != "" && l.base.inModule(lo, hi, from) < 0 {
		return nil, fmt.Errorf("%s is imported from %s, which was skipped", name, from)
	}
	if imported {
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
