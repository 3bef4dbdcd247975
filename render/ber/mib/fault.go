package mib

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
)

// What is faulty in an operator's modules is left out alone: a definition that cannot be parsed, one whose OID depends on
// something unknown, a file that cannot be read. A warning tells each, and the names are withheld: another module's object
// of the same name is not what the author of a template meant.

// mostWarnings is the largest number of warnings that a load keeps.
const mostWarnings = 100

// A warning is what a load left out, and why.
type warning struct {
	text string
	same int // definitions of the module that were left out for the same reason, beyond the one in text
}

// warnf adds a warning.
func (l *loader) warnf(format string, args ...any) {
	l.warnOnce("", fmt.Sprintf(format, args...))
}

// warnOnce adds a warning, or counts it if one with the same reason was added before. An empty reason has no like.
func (l *loader) warnOnce(reason, text string) {
	l.faulty = true
	if reason != "" {
		if first := l.reasons[reason]; first != nil {
			first.same++
			return
		}
	}
	if len(l.warnings) == mostWarnings {
		l.unsaid++
		return
	}
	w := &warning{text: text}
	l.warnings = append(l.warnings, w)
	if reason != "" {
		l.reasons[reason] = w
	}
}

// warningTexts returns the warnings as text.
func (l *loader) warningTexts() []string {
	var texts []string
	for _, w := range l.warnings {
		if w.same > 0 {
			w.text = fmt.Sprintf("%s; %d more of the module likewise", w.text, w.same)
		}
		texts = append(texts, w.text)
	}
	if l.unsaid > 0 {
		texts = append(texts, fmt.Sprintf("%d more warnings of MIB modules", l.unsaid))
	}
	return texts
}

// leave leaves a definition out, with a warning.
func (l *loader) leave(m *module, def *smiObject, err error) {
	why := fmt.Sprintf("%s:%d: %s: %v", m.file, def.line, def.name, err)
	l.warnOnce(m.file+m.name+err.Error(), why+"; leaving it out")
	l.withhold(def.name, m.name, why)
}

// withheld is the reason why a label has no object.
type withheld struct {
	module string
	why    string // with file and line
}

// definition matches what a text seems to define. It is compiled on first use, since few runs need it.
var definition = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*([a-z][A-Za-z0-9-]*)[ \t\r\n]+(?:OBJECT[ \t]+IDENTIFIER|OBJECT-TYPE|OBJECT-IDENTITY|MODULE-IDENTITY|NOTIFICATION-TYPE|TRAP-TYPE|OBJECT-GROUP|NOTIFICATION-GROUP|MODULE-COMPLIANCE)\b`)
})

// moduleHead matches the start of a module.
var moduleHead = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^[ \t]*([A-Z][A-Za-z0-9-]*)[ \t\r\n]*(?:\{[^}]*\}[ \t\r\n]*)?DEFINITIONS\b`)
})

// parsed warns of what was left out in parsing a module of a text, and withholds its names: those that the text seems to
// define, too, because a missing quote can hide any number of definitions.
func (l *loader) parsed(m *module, text string) {
	if len(m.faults) == 0 {
		return
	}
	for _, f := range m.faults {
		if f.name == "" {
			l.warnf("%s:%v", m.file, f.err)
			continue
		}
		line, cause, _ := strings.Cut(f.err.Error(), ": ")
		why := fmt.Sprintf("%s:%s: %s: %s", m.file, line, f.name, cause)
		l.warnf("%s; leaving it out", why)
		if m.byName[f.name] == nil {
			l.withhold(f.name, m.name, why)
		}
	}
	why := fmt.Sprintf("%s:%v", m.file, m.faults[len(m.faults)-1].err)
	heads := moduleHead().FindAllStringSubmatchIndex(text, -1)
	for i, h := range heads {
		end := len(text)
		if i+1 < len(heads) {
			end = heads[i+1][0]
		}
		if text[h[2]:h[3]] != m.name {
			continue
		}
		for _, d := range definition().FindAllStringSubmatch(text[h[1]:end], -1) {
			if m.byName[d[1]] == nil {
				l.withhold(d[1], m.name, why)
			}
		}
	}
}

func (l *loader) withhold(label, module, why string) {
	if _, found := l.withheld[label]; !found {
		l.withheld[label] = withheld{module, why}
	}
}

// withholds returns why a label must not be used, nil if it may be. Its rows are from up to, but not including, to. A row
// of the same module, built in, is the same object, so that the label may be used.
func (x *Index) withholds(label string, from, to int) *withheld {
	w, found := x.withheld[label]
	if !found || x.inModule(from, to, w.module) >= 0 {
		return nil
	}
	return &w
}
