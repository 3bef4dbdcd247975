package sqldb

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"dcs/render/device"
)

// text returns a value as templates get it: booleans as 1 or 0, times as of RFC 3339 in UTC, dates without a time, octets in
// hexadecimal after 0x, NULL as the empty text.
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

// quoted returns a value for an error, at most 64 octets of it.
func quoted(v any) string {
	s := text(v, "TEXT")
	if len(s) > 64 {
		s = s[:64] + "…"
	}
	return strconv.Quote(s)
}

// mac parses a MAC address: text with or without separators, six octets, or a number. An empty text is none.
func mac(v any) (m device.MAC, err error) {
	var n uint64
	switch v := v.(type) {
	case string, []byte:
		if b, raw := v.([]byte); raw && len(b) == 6 {
			m = device.MAC(b)
			break
		}
		s := strings.TrimSpace(text(v, "TEXT"))
		if s == "" {
			return m, nil
		}
		if m, err = device.ParseMAC(s); err != nil {
			return m, fmt.Errorf("%s is %w", quoted(v), err)
		}
		return m, nil
	case int64:
		n = uint64(v)
	case uint64:
		n = v
	default:
		n = math.MaxUint64
	}
	switch {
	case n >= 1<<48:
		return m, fmt.Errorf("%s is %w", quoted(v), device.ErrNotMAC)
	case n > 0:
		m = device.MAC(binary.BigEndian.AppendUint64(nil, n)[2:])
	}
	if m.IsZero() {
		return m, fmt.Errorf("%s is %w", quoted(v), device.ErrZeroMAC)
	}
	return m, nil
}

// ip parses an IP address: text with or without a prefix length, four or sixteen octets, or the number of an IPv4 address. An
// empty text is none.
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
		return netip.Addr{}, fmt.Errorf("%s is not an IP address", quoted(v))
	}
	return netip.AddrFrom4([4]byte(binary.BigEndian.AppendUint32(nil, uint32(n)))), nil
}
