package sqldb

import (
	"math"
	"net/netip"
	"testing"
	"time"
)

func TestText(t *testing.T) {
	at := time.Date(2026, 11, 24, 6, 30, 0, 5e8, time.FixedZone("", 3600))
	for _, tc := range []struct {
		v    any
		typ  string
		want string
	}{
		{nil, "TEXT", ""},
		{"gold", "TEXT", "gold"},
		{true, "BOOL", "1"},
		{false, "BOOL", "0"},
		{int64(-5), "INT8", "-5"},
		{uint64(math.MaxUint64), "UNSIGNED BIGINT", "18446744073709551615"},
		{1e15, "FLOAT8", "1000000000000000"},
		{float64(float32(0.1)), "FLOAT4", "0.1"},
		{float32(0.1), "FLOAT", "0.1"},
		{at, "TIMESTAMPTZ", "2026-11-24T05:30:00.5Z"},
		{time.Date(2026, 11, 24, 0, 0, 0, 0, time.UTC), "DATE", "2026-11-24"},
		{time.Time{}, "DATETIME", ""},
		{[]byte{0, 0x5e, 0xff}, "BYTEA", "0x005eff"},
		{[]byte{}, "BLOB", ""},
		{[]byte("12.50"), "DECIMAL", "12.50"},
		{[]byte{1, 2}, "BIT", "258"},
	} {
		if got := text(tc.v, tc.typ); got != tc.want {
			t.Errorf("text(%#v, %s) = %q, want %q", tc.v, tc.typ, got, tc.want)
		}
	}
}

func TestMAC(t *testing.T) {
	want := [6]byte{0x0a, 1, 2, 3, 4, 5}
	for _, v := range []any{
		"0a:01:02:03:04:05", "0A-01-02-03-04-05", "0a01.0203.0405", "0a0102030405", " 0a:01:02:03:04:05 ",
		[]byte("0a:01:02:03:04:05"),
		[]byte{0x0a, 1, 2, 3, 4, 5},
		int64(0x0a0102030405), uint64(0x0a0102030405),
	} {
		if got, ok, err := mac(v); err != nil || !ok || got != want {
			t.Errorf("mac(%#v) = %x, %v, %v", v, got, ok, err)
		}
	}
	for _, v := range []any{"", "  ", []byte{}} {
		if _, ok, err := mac(v); ok || err != nil {
			t.Errorf("mac(%#v) = %v, %v; want none", v, ok, err)
		}
	}
	for _, v := range []any{
		"0a:01:02:03:04", "0a:01:02:03:04:0g", "0a:01:02:03:04-05", "0a0:1:02:03:04:05", "0a01020304050", "0a::01:02:03:04:5",
		"' OR '1'='1", ":::::::::::::::::", int64(-1), int64(1) << 48, uint64(math.MaxUint64), 1.5, true,
		[]byte{1, 2, 3, 4, 5},
		"00:00:00:00:00:00", []byte("000000000000"), make([]byte, 6), int64(0), uint64(0),
	} {
		if got, ok, err := mac(v); err == nil {
			t.Errorf("mac(%#v) = %x, %v; want an error", v, got, ok)
		}
	}
}

func TestIP(t *testing.T) {
	for _, tc := range []struct {
		v    any
		want string // "": none, "error": an error
	}{
		{"10.1.2.3", "10.1.2.3"},
		{"10.1.2.3/32", "10.1.2.3"},
		{"2001:db8::1/128", "2001:db8::1"},
		{"::ffff:10.1.2.3", "10.1.2.3"},
		{"fe80::1%eth0", "fe80::1"},
		{[]byte{10, 1, 2, 3}, "10.1.2.3"},
		{[]byte("10.1.2.3"), "10.1.2.3"},
		{append(make([]byte, 15), 1), "::1"},
		{int64(0x0a010203), "10.1.2.3"},
		{uint64(0x0a010203), "10.1.2.3"},
		{"", ""},
		{"10.1.2", "error"},
		{"10.1.2.3; DROP TABLE devices", "error"},
		{int64(-1), "error"},
		{int64(1) << 32, "error"},
		{true, "error"},
	} {
		got, err := ip(tc.v)
		switch {
		case tc.want == "error":
			if err == nil {
				t.Errorf("ip(%#v) = %v, want an error", tc.v, got)
			}
		case tc.want == "":
			if err != nil || got.IsValid() {
				t.Errorf("ip(%#v) = %v, %v; want none", tc.v, got, err)
			}
		case err != nil || got != netip.MustParseAddr(tc.want):
			t.Errorf("ip(%#v) = %v, %v; want %s", tc.v, got, err, tc.want)
		}
	}
}

func TestLater(t *testing.T) {
	early, late := time.Unix(1, 0), time.Unix(2, 0)
	for _, tc := range []struct{ a, b, want any }{
		{nil, nil, nil},
		{nil, int64(1), int64(1)},
		{int64(1), nil, int64(1)},
		{int64(2), int64(1), int64(2)},
		{early, late, late},
		{late, early, late},
		{"9", "10", "10"}, // PostgreSQL's numeric
		{"2026-11-24 05:00:00", "2026-11-24 04:59:59", "2026-11-24 05:00:00"},
		{1.5, 1.25, 1.5},
	} {
		if got, err := later(tc.a, tc.b); err != nil || got != tc.want {
			t.Errorf("later(%v, %v) = %v, %v; want %v", tc.a, tc.b, got, err, tc.want)
		}
	}
	for _, tc := range []struct{ a, b any }{{int64(1), "1"}, {nil, true}} {
		if got, err := later(tc.a, tc.b); err == nil {
			t.Errorf("later(%v, %v) = %v, want an error", tc.a, tc.b, got)
		}
	}
}
