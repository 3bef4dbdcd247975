package library

import (
	"fmt"
	"strings"

	"dcs/render/naming"
	"dcs/render/syntax"
)

// warnName warns of a template's name that cannot be requested.
func (l *loader) warnName(at syntax.Pos, name string, warn func(syntax.Pos, string), sc *naming.Scratch) {
	switch n := l.names.Literally().Read([]byte(name), true, sc); {
	case !n.MAC.IsZero():
		warn(at, "nobody can ask for this name: @ and a MAC address at the end of a name are removed and identify the device; use $mac for the address")
	case n.Refusal == naming.Outside:
		warn(at, `nobody can ask for this name: one with ".." leads to no file`)
	}
}

// mayHoldDevice reports whether a pattern seems to be written for names that end in @ and a MAC address: it contains an @, and the
// common end of the names that it matches may be the end of a MAC address.
func (p *pattern) mayHoldDevice() bool {
	end := p.suffix[strings.LastIndexByte(p.suffix, '@')+1:]
	return strings.Contains(p.source, "@") && strings.Trim(end, "0123456789abcdef:.-") == ""
}

// warnStatic warns, once per kind, of static files that cannot be requested: their names end in @ and a MAC address, or contain a backslash
// that is read as a slash.
func (s *Snapshot) warnStatic() {
	var device, slash unasked
	for name, f := range s.static.files {
		if _, mac := naming.SplitDevice([]byte(name)); !mac.IsZero() {
			device.add(f.path)
		} else if s.names.Key(name) != name {
			slash.add(f.path)
		}
	}
	device.warn(s, "@ and a MAC address at the end of a name are removed and identify the device")
	slash.warn(s, "a backslash in a name is read as a slash, unless the key backslash is off")
}

// unasked counts static files that cannot be requested.
type unasked struct {
	first string
	n     int
}

func (u *unasked) add(path string) {
	if u.n++; u.n == 1 || path < u.first {
		u.first = path
	}
}

func (u *unasked) warn(s *Snapshot, why string) {
	if u.n == 0 {
		return
	}
	what := "this static file"
	if u.n > 1 {
		what = fmt.Sprintf("%d static files such as this one", u.n)
	}
	s.warn(syntax.Pos{File: u.first, Line: 1, Col: 1}, "nobody can ask for "+what+": "+why)
}
