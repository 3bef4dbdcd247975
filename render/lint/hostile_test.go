//go:build !race

package lint_test

import (
	"bytes"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"dcs/render/ber/mib"
	"dcs/render/lint"
)

// A file of 1 MiB that breaks rules everywhere is judged within a second of computing.
func TestHostile(t *testing.T) {
	for name, octets := range map[string]string{
		"pads":                     "00",
		"NetworkAccess":            "030101",
		"addresses of CPEs":        "0e06 020000000001",
		"empty flows":              "1800 1900",
		"flows of one aggregate":   "1804 24020001 1904 24020001 4607 01020001 2a0100 4707 01020001 2a0100",
		"aggregates of one way":    "4609 01020001 2a03 060100",
		"privacy and classes":      "1100 0400",
		"classifiers":              "1607 010101 03020001 3c00",
		"unknown TLVs":             "fa00",
		"objects":                  "0b11 300f 060a2b060102010202010701 020101",
		"numbers that are no good": "01040000 0001 020100",
		"vendor-specific groups":   "2b03 050100 2b00",
		"header suppression":       "1a07 010101 03020001",
	} {
		unit := file(t, "0x"+octets).Octets
		hostile(t, name, bytes.Repeat(unit, 1<<20/len(unit)))
	}
	var rows []byte
	for i := range 1 << 20 / 23 { // docsDevFilterIpControl of rows that nothing creates
		rows = append(rows, 0x0b, 0x15, 0x30, 0x13, 0x06, 0x0e, 0x2b, 6, 1, 2, 1, 69, 1, 6, 4, 1, 3, byte(i>>14)|0x81, byte(i>>7)|0x80, byte(i)&0x7f, 2, 1, 1)
	}
	hostile(t, "rows", rows)
}

// cpu returns the time that this process has computed.
func cpu(t *testing.T) time.Duration {
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func hostile(t *testing.T, name string, big []byte) {
	best := time.Hour
	for range 5 {
		begin := cpu(t)
		got := lint.Check(&lint.File{Name: "x", Octets: big}, &lint.Options{MIB: mib.Default(), Version: lint.V31})
		best = min(best, cpu(t)-begin)
		if len(got) > 200 {
			t.Errorf("%s: %d findings", name, len(got))
		}
		if best < time.Second {
			return
		}
	}
	t.Errorf("%s: %v", name, best)
}
