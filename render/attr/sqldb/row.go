package sqldb

import (
	"bytes"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// mapping says what each column of a query is: indices of columns, -1 for none.
type mapping struct {
	mac, ip, gone, mark int
	attr                []int // by column: the attribute's index, -1 for none
	width               int   // how many attributes there are
}

// columns makes the mapping of a query's columns. After Open they must be those of Query,
// in any order.
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
			return m, fmt.Errorf("two columns are called %s", c)
		}
		seen[what] = true
		if own != nil {
			*own = i
			continue
		}
		if !identifier(c) {
			return m, fmt.Errorf("column %d is called %q, which no template can write after $: give it a name with AS", i+1, c)
		}
		if !opened {
			m.attr[i] = m.width
			m.width++
			continue
		}
		j, ok := index[c]
		if !ok {
			return m, fmt.Errorf("column %s is not one of those that query gives", c)
		}
		m.attr[i] = j
		m.width++
	}
	if m.mac < 0 && m.ip < 0 {
		return m, errors.New("no column is called mac or ip")
	}
	if opened && m.width != len(index) {
		for n := range index {
			if !seen[n] {
				return m, fmt.Errorf("no column %s, which query gave", n)
			}
		}
	}
	return m, nil
}

// identifier tells a name that can stand after $ in a template.
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

// row is the row that a query is at.
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
	d.HasMAC, d.IP = false, netip.Addr{}
	if i := r.m.mac; i >= 0 && r.values[i] != nil {
		var err error
		if d.MAC, d.HasMAC, err = mac(r.values[i]); err != nil {
			return nil, err
		}
	}
	if i := r.m.ip; i >= 0 && r.values[i] != nil {
		var err error
		if d.IP, err = ip(r.values[i]); err != nil {
			return nil, err
		}
	}
	if !d.HasMAC && !d.IP.IsValid() {
		return nil, errors.New("neither a MAC address nor an IP address")
	}
	for i, j := range r.m.attr {
		if j >= 0 {
			d.Values[j] = text(r.values[i], r.types[i])
		}
	}
	return d, nil
}

// text is a value as a template gets it: a boolean 1 or 0, a time in RFC 3339 and UTC, a
// date alone, octets in hexadecimal after 0x, NULL empty.
func text(v any, typ string) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	case []byte:
		switch typ {
		case "", "BYTEA", "BLOB", "TINYBLOB", "MEDIUMBLOB", "LONGBLOB", "BINARY", "VARBINARY", "GEOMETRY":
			if len(v) == 0 {
				return ""
			}
			return "0x" + hex.EncodeToString(v)
		case "BIT":
			if len(v) <= 8 {
				var b [8]byte
				copy(b[8-len(v):], v)
				return strconv.FormatUint(binary.BigEndian.Uint64(b[:]), 10)
			}
		}
		return string(v)
	case bool:
		if v {
			return "1"
		}
		return "0"
	case int64:
		return strconv.FormatInt(v, 10)
	case uint64:
		return strconv.FormatUint(v, 10)
	case float64:
		bits := 64
		if typ == "FLOAT4" {
			bits = 32
		}
		return strconv.FormatFloat(v, 'f', -1, bits)
	case float32:
		return strconv.FormatFloat(float64(v), 'f', -1, 32)
	case time.Time:
		switch {
		case v.IsZero(): // MariaDB's 0000-00-00
			return ""
		case typ == "DATE":
			return v.Format(time.DateOnly)
		}
		return v.UTC().Format(time.RFC3339Nano)
	}
	return fmt.Sprint(v)
}

// shown is a value for an error, short.
func shown(v any) string {
	s := text(v, "TEXT")
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.Quote(s)
}

// mac reads a MAC address: text with or without separators, six octets, or a number. An
// empty text is none.
func mac(v any) (m device.MAC, ok bool, err error) {
	var n uint64
	switch v := v.(type) {
	case string, []byte:
		if b, raw := v.([]byte); raw && len(b) == 6 {
			m = device.MAC(b)
			break
		}
		s := strings.TrimSpace(text(v, "TEXT"))
		if s == "" {
			return m, false, nil
		}
		if m, err = device.ParseMAC(s); err != nil {
			return m, false, fmt.Errorf("%s is %w", shown(v), err)
		}
		return m, true, nil
	case int64:
		n = uint64(v)
	case uint64:
		n = v
	default:
		n = math.MaxUint64
	}
	switch {
	case n >= 1<<48:
		return m, false, fmt.Errorf("%s is %w", shown(v), device.ErrNotMAC)
	case n > 0:
		m = device.MAC(binary.BigEndian.AppendUint64(nil, n)[2:])
	}
	if m.IsZero() {
		return m, false, fmt.Errorf("%s is %w", shown(v), device.ErrZeroMAC)
	}
	return m, true, nil
}

// ip reads an address: text, with a prefix length or without, four or sixteen octets, or
// the number of an IPv4 address. An empty text is none.
func ip(v any) (netip.Addr, error) {
	var n uint64
	switch v := v.(type) {
	case string, []byte:
		s := strings.TrimSpace(text(v, "TEXT"))
		if s == "" {
			return netip.Addr{}, nil
		}
		if a, err := netip.ParseAddr(s); err == nil {
			return a.WithZone("").Unmap(), nil
		}
		if p, err := netip.ParsePrefix(s); err == nil {
			return p.Addr().Unmap(), nil
		}
		if b, raw := v.([]byte); raw {
			if a, ok := netip.AddrFromSlice(b); ok {
				return a.Unmap(), nil
			}
		}
		n = math.MaxUint64
	case int64:
		n = uint64(v)
	case uint64:
		n = v
	default:
		n = math.MaxUint64
	}
	if n > math.MaxUint32 {
		return netip.Addr{}, fmt.Errorf("%s is not an IP address", shown(v))
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n)))), nil
}

// later returns the later of two watermarks, of which a may be nil.
func (s *source) later(a, b any) (any, error) {
	if _, isTime := b.(time.Time); isTime && s.drv.TextTimes {
		return nil, fmt.Errorf("column %s: %s gives times as texts of any form: give a number, or CAST(… AS TEXT) of a form that sorts", s.cfg.Watermark, s.drv.Name)
	}
	later, err := later(a, b)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", s.cfg.Watermark, err)
	}
	return later, nil
}

func later(a, b any) (any, error) {
	if b == nil {
		return a, nil
	}
	if raw, ok := b.([]byte); ok {
		b = bytes.Clone(raw)
	}
	first := a == nil
	if first {
		a = b
	}
	greater := false
	var same bool
	switch b := b.(type) {
	case time.Time:
		var x time.Time
		if x, same = a.(time.Time); same {
			greater = b.After(x)
		}
	case int64:
		var x int64
		if x, same = a.(int64); same {
			greater = b > x
		}
	case uint64:
		var x uint64
		if x, same = a.(uint64); same {
			greater = b > x
		}
	case float64:
		var x float64
		if x, same = a.(float64); same {
			greater = b > x
		}
	case string:
		var x string
		if x, same = a.(string); same {
			greater = textLater(x, b)
		}
	case []byte:
		var x []byte
		if x, same = a.([]byte); same {
			greater = textLater(string(x), string(b))
		}
	default:
		return nil, fmt.Errorf("a %T cannot be a watermark", b)
	}
	switch {
	case !same:
		return nil, fmt.Errorf("a watermark of type %T after one of type %T", b, a)
	case greater:
		return b, nil
	}
	return a, nil
}

// textLater compares texts octet by octet, and those that are numbers, as some databases
// give them, by value.
func textLater(a, b string) bool {
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if digits(a) && digits(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return len(b) > len(a)
		}
	}
	return b > a
}
