package sqldb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"dcs/render/attr"
	"dcs/render/device"
)

// mapping maps the columns of a query.
type mapping struct {
	mac, ip, gone, mark int   // index of the column, -1 for none
	attr                []int // attribute index by column, -1 for none
	width               int   // number of attributes
}

// columns returns the mapping of a query's columns. After Open they must be those of Query, in any order.
func (s *source) columns(cols []string) (mapping, error) {
	s.mu.Lock()
	index := s.index
	opened := s.db != nil
	s.mu.Unlock()
	m := mapping{mac: -1, ip: -1, gone: -1, mark: -1, attr: make([]int, len(cols))}
	seen := make(map[string]bool, len(cols))
	for i, c := range cols {
		m.attr[i] = -1
		what := strings.ToLower(c)
		if what == strings.ToLower(s.cfg.Watermark) {
			what = "\x00mark"
		}
		own := map[string]*int{"mac": &m.mac, "ip": &m.ip, "gone": &m.gone, "\x00mark": &m.mark}[what]
		if own == nil {
			what = c
		}
		if seen[what] {
			return m, fmt.Errorf("duplicate column %s", c)
		}
		seen[what] = true
		if own != nil {
			*own = i
			continue
		}
		if !identifier(c) {
			return m, fmt.Errorf("column %d: %q is not a variable name; rename it with AS", i+1, c)
		}
		if !opened {
			m.attr[i] = m.width
			m.width++
			continue
		}
		j, ok := index[c]
		if !ok {
			return m, fmt.Errorf("column %s is not a column of query", c)
		}
		m.attr[i] = j
		m.width++
	}
	if m.mac < 0 && m.ip < 0 {
		return m, errors.New("no column mac or ip")
	}
	if opened && m.width != len(index) {
		for n := range index {
			if !seen[n] {
				return m, fmt.Errorf("no column %s, which query has", n)
			}
		}
	}
	return m, nil
}

// identifier reports whether s can be the name of a template's variable.
func identifier(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// row is the current row of a query.
type row struct {
	m      mapping
	values []any
	into   []any // pointers to values
	types  []string
	dev    attr.Device
}

func newRow(m mapping, types []*sql.ColumnType) *row {
	r := &row{m: m, values: make([]any, len(types)), into: make([]any, len(types)), types: make([]string, len(types))}
	for i, t := range types {
		r.into[i] = &r.values[i]
		r.types[i], _, _ = strings.Cut(t.DatabaseTypeName(), "(") // SQLite has lengths with it
	}
	r.dev.Values = make([]string, m.width)
	return r
}

func (r *row) gone() bool {
	if r.m.gone < 0 {
		return false
	}
	switch strings.ToLower(text(r.values[r.m.gone], r.types[r.m.gone])) {
	case "", "0", "0x00", "f", "false", "n", "no":
		return false
	}
	return true
}

// device returns the row's device, which is valid until the next row.
func (r *row) device() (*attr.Device, error) {
	d := &r.dev
	d.MAC, d.IP = device.MAC{}, netip.Addr{}
	if i := r.m.mac; i >= 0 && r.values[i] != nil {
		var err error
		if d.MAC, err = mac(r.values[i]); err != nil {
			return nil, err
		}
	}
	if i := r.m.ip; i >= 0 && r.values[i] != nil {
		var err error
		if d.IP, err = ip(r.values[i]); err != nil {
			return nil, err
		}
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return nil, errors.New("neither a MAC address nor an IP address")
	}
	for i, j := range r.m.attr {
		if j >= 0 {
			d.Values[j] = text(r.values[i], r.types[i])
		}
	}
	return d, nil
}
