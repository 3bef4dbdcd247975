package lint_test

import (
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/lint"
	"dcs/render/syntax"
)

// overlay returns a file with a value that the request decides.
func overlay(t *testing.T, src string, slot lint.Slot) *lint.File {
	f := file(t, src)
	f.Slots = []lint.Slot{slot}
	return f
}

// What a request decides is judged by the values that it can have.
func TestSlots(t *testing.T) {
	for _, tt := range []struct {
		name string
		src  string
		slot lint.Slot
		rule string
		want lint.Severity
		none bool
	}{
		{"no value is good", `BaselinePrivacy { AuthTimeout 10; }`, lint.Slot{Off: 4, Len: 4, Numeric: true, Min: 31, Max: 99, Bounded: true}, "bpi-range", lint.Error, false},
		{"some values are", `BaselinePrivacy { AuthTimeout 10; }`, lint.Slot{Off: 4, Len: 4, Numeric: true, Min: 1, Max: 99, Bounded: true}, "bpi-range", lint.Warning, false},
		{"nothing is known", `BaselinePrivacy { AuthTimeout 10; }`, lint.Slot{Off: 4, Len: 4, Numeric: true, Min: -1 << 63, Max: 1<<63 - 1}, "bpi-range", lint.Note, false},
		{"all values are", `BaselinePrivacy { AuthTimeout 30; }`, lint.Slot{Off: 4, Len: 4, Numeric: true, Min: 1, Max: 30, Bounded: true}, "bpi-range", 0, true},
		{"a time of the request", `TftpTimestamp 5;`, lint.Slot{Off: 2, Len: 4, Numeric: true, Max: 1 << 32}, "time-literal", 0, true},
		{"a name that may be long", `SwUpgradeFilename "a";`, lint.Slot{Off: 2, Len: 1, MinLen: 1, MaxLen: 70, Bounded: true}, "sw-name", lint.Note, false},
		{"a name that is too long", `SwUpgradeFilename "a";`, lint.Slot{Off: 2, Len: 1, MinLen: 65, MaxLen: 70, Bounded: true}, "sw-name", lint.Warning, false},
		{"a TLV that may be too long", `SwUpgradeFilename "a";`, lint.Slot{Off: 2, Len: 1, MinLen: 1, MaxLen: 256, Bounded: true}, "tlv-too-long", lint.Warning, false},
		{"a TLV that is not", `SwUpgradeFilename "a";`, lint.Slot{Off: 2, Len: 1, MinLen: 1, MaxLen: 255, Bounded: true}, "tlv-too-long", 0, true},
	} {
		f := find(lint.Check(overlay(t, tt.src+sound, tt.slot), &lint.Options{}), tt.rule)
		if tt.none != (f == nil) || f != nil && f.Severity != tt.want {
			t.Errorf("%s: %+v", tt.name, f)
		}
	}
}

// Octets that are only an example are not what the rules are about.
func TestWholeSlots(t *testing.T) {
	twice := `SnmpMibObject ifAdminStatus.1 Integer 1; SnmpMibObject ifAdminStatus.1 Integer 2;`
	for _, tt := range []struct {
		src, rule string
	}{
		{twice, "oid-dup"},
		{`SnmpMibObject ifIndex.1 Integer 1;`, "oid-access"},
		{`SnmpMibObject ifAdminStatus.1 Integer 9;`, "oid-range"},
	} {
		f := file(t, tt.src+sound)
		o := &lint.Options{MIB: mib.Default()}
		if got := find(lint.Check(f, o), tt.rule); got == nil || got.Severity != lint.Error {
			t.Errorf("%s without slots: %s: %+v", tt.src, tt.rule, got)
		}
		first := 2 + int(f.Octets[1])
		f.Slots = []lint.Slot{{Len: first, Whole: true, MaxLen: 1 << 16}}
		if got := find(lint.Check(f, o), tt.rule); got != nil && got.Severity == lint.Error {
			t.Errorf("%s: %s: %+v", tt.src, tt.rule, got)
		}
	}
}

// Findings of several files that one template makes become one, with the arms that have it.
func TestSet(t *testing.T) {
	place := func(line int) func(int) lint.Place {
		return func(int) lint.Place { return lint.Place{Pos: syntax.Pos{File: "a.dcs", Line: line, Col: 1}} }
	}
	variant := func(src string, when ...string) *lint.File {
		f := file(t, src)
		f.Place, f.When = place(3), when
		return f
	}
	var set lint.Set
	o := &lint.Options{}
	set.Add(variant(`NetworkAccess 1; `+flows+`SwUpgradeServer 10.1.2.3;`, "$plan is gold", "$isp is a"), o)
	set.Add(variant(`NetworkAccess 1; SwUpgradeServer 10.1.2.3;`, "$plan is silver", "$isp is a"), o)
	set.Add(variant(`NetworkAccess 1; SwUpgradeServer 10.1.2.3;`, "$plan is silver", "$isp is b"), o)
	for rule, want := range map[string]string{"sw-pair": "", "qos-missing": "when $plan is silver", "max-cpe": ""} {
		f := find(set.Findings(), rule)
		if f == nil || f.Arms() != want || f.Spot.String() != "a.dcs:3:1" {
			t.Errorf("%s: %+v", rule, f)
		}
	}
}

// A file that many devices get is judged more strictly.
func TestShared(t *testing.T) {
	f := file(t, sound+`TftpModemAddress 10.1.2.3; DownstreamFrequency 500000000;`)
	f.Shared = true
	for rule, want := range map[string]lint.Severity{"address-literal": lint.Error, "channel-pinned": lint.Note} {
		if got := find(lint.Check(f, &lint.Options{}), rule); got == nil || got.Severity != want {
			t.Errorf("%s: %+v", rule, got)
		}
	}
}
