package library

import (
	"fmt"
	"strings"

	"dcs/render/attr"
	"dcs/render/syntax"
)

// SplitDevice takes the slashes off the front of a name that is asked for, and a device's MAC
// address off its end: file@0a0102030405. What is left is what Find looks for.
func SplitDevice(name []byte) (file []byte, mac [6]byte, ok bool) {
	name = Trim(name)
	for i := len(name) - 1; i > 0 && len(name)-i <= len("@0a:01:02:03:04:05"); i-- {
		if name[i] == '@' {
			if mac, ok = attr.ParseMAC(name[i+1:]); ok {
				return name[:i], mac, true
			}
			break
		}
	}
	return name, mac, false
}

// Trim takes the slashes off the front of a name that is asked for.
func Trim(name []byte) []byte {
	for len(name) > 0 && name[0] == '/' {
		name = name[1:]
	}
	return name
}

// holdsDevice tells whether a name ends as SplitDevice cuts it off, so that nobody can ask for it.
func holdsDevice(name string) bool {
	_, _, ok := SplitDevice([]byte(name))
	return ok
}

// mayHoldDevice tells whether a pattern is written for names that end in a device: whether an @ stands in it, and
// what all names end in that it matches may be the end of a MAC address.
func (p *pattern) mayHoldDevice() bool {
	end := p.suffix[strings.LastIndexByte(p.suffix, '@')+1:]
	return strings.Contains(p.source, "@") && strings.Trim(end, "0123456789abcdef:.-") == ""
}

// warnStatic tells, in one warning, of static files that nobody can ask for because their names hold a device.
func (s *Snapshot) warnStatic() {
	first, n := "", 0
	for name, f := range s.static.files {
		if !holdsDevice(name) {
			continue
		}
		if n++; n == 1 || f.path < first {
			first = f.path
		}
	}
	if n == 0 {
		return
	}
	what := "this static file"
	if n > 1 {
		what = fmt.Sprintf("%d static files such as this one", n)
	}
	s.warn(syntax.Pos{File: first, Line: 1, Col: 1}, "nobody can ask for "+what+": where a name ends in @ and a MAC address, they are taken off, and tell the device")
}
