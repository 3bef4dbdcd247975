package storm

import (
	"strings"
)

func (e *engine) verify(i int, m *modem, body []byte) {
	addr := e.link.addr(i)
	if e.check != nil && e.due() {
		if err := e.check.examine(addr, body, e.wall+m.begun, e.wall+e.now); err != nil {
			m.bad = true
			e.wrong(i, m, err.Error())
		}
	}
	if e.cfg.Verify == nil {
		return
	}
	e.name = e.names(m).Append(e.name[:0], i)
	if err := e.cfg.Verify(e.name, addr, body); err != nil {
		m.bad = true
		e.wrong(i, m, err.Error())
	}
}

// due reports whether this file is to be checked.
func (e *engine) due() bool {
	if e.turn++; e.turn >= e.cfg.CheckEvery {
		e.turn = 0
		return true
	}
	return false
}

func (e *engine) names(m *modem) *Names { return e.groups[m.group].names }

// wrong records the first few wrong files.
func (e *engine) wrong(i int, m *modem, what string) {
	if len(e.res.Mismatches) >= maxWrong {
		return
	}
	e.name = e.names(m).Append(e.name[:0], i)
	w := Mismatch{
		At: seconds(e.now), Modem: i, Address: e.link.addr(i).String(), File: strings.ToValidUTF8(string(e.name), "?"),
		Bytes: m.size, Reason: strings.ToValidUTF8(what, "?"),
	}
	e.res.Mismatches = append(e.res.Mismatches, w)
	e.res.Examples = append(e.res.Examples, w.String())
}
