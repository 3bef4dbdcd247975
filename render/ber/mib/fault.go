package mib

import (
	"errors"
	"regexp"
	"sync"
)

// A module that cannot be parsed in full is skipped, and the names that it seems to define are withheld: another
// module's object of the same name is not what its author meant.

// A moduleError is an error in one module of a file.
type moduleError struct {
	module string // empty: unknown
	err    error
}

func (e *moduleError) Error() string { return e.err.Error() }
func (e *moduleError) Unwrap() error { return e.err }

// moduleErrors splits an error of parseModules.
func moduleErrors(err error) []*moduleError {
	var one *moduleError
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []*moduleError
		for _, err := range joined.Unwrap() {
			all = append(all, moduleErrors(err)...)
		}
		return all
	}
	if errors.As(err, &one) {
		return []*moduleError{one}
	}
	if err != nil {
		return []*moduleError{{err: err}}
	}
	return nil
}

// withheld is the reason why a label has no object.
type withheld struct {
	module string
	why    string // with file and line
}

// definition matches what a module that cannot be parsed seems to define. It is compiled on first use, since few runs
// need it.
var definition = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*([a-z][A-Za-z0-9-]*)[ \t\r\n]+(?:OBJECT[ \t]+IDENTIFIER|OBJECT-TYPE|OBJECT-IDENTITY|MODULE-IDENTITY|NOTIFICATION-TYPE|TRAP-TYPE|OBJECT-GROUP|NOTIFICATION-GROUP|MODULE-COMPLIANCE)\b`)
})

// moduleHead matches the start of a module.
var moduleHead = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*([A-Z][A-Za-z0-9-]*)[ \t\r\n]*(?:\{[^}]*\}[ \t\r\n]*)?DEFINITIONS\b`)
})

// withhold records the labels of a module, or of all modules in a text if its name is unknown. That includes labels
// that another of the operator's modules defines, because which of them is meant is no longer known.
func (l *loader) withhold(text, module, why string) {
	heads := moduleHead().FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		name, end := text[h[2]:h[3]], len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		if module != "" && name != module {
			continue
		}
		for _, d := range definition().FindAllStringSubmatch(text[h[1]:end], -1) {
			l.withholdLabel(d[1], name, why)
		}
		if _, found := l.left[name]; !found {
			l.left[name] = why
		}
	}
}

func (l *loader) withholdLabel(label, module, why string) {
	if _, found := l.withheld[label]; !found {
		l.withheld[label] = withheld{module, why}
	}
}

// withholds returns why a label must not be used, nil if it may be. Its rows are from up to, but not including, to. A
// built-in row of the skipped module's name is the same object, so that the label may be used.
func (x *Index) withholds(label string, from, to int) *withheld {
	w, found := x.withheld[label]
	if !found || x.inModule(from, to, w.module) >= 0 {
		return nil
	}
	return &w
}
