package bpf

import (
	"encoding/binary"
	"slices"
	"testing"
)

// Frames of a VLAN that the host has no device for are the kernel's, which throws them away: nobody in another VLAN gets a file.
func TestUnknownVLANs(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	for _, tt := range []struct {
		name string
		tags []uint16 // type and control, the outer one first
		want Verdict
	}{
		{"none", nil, PassSocket},
		{"known", []uint16{0x8100, 100}, PassSocket},
		{"known, with a priority", []uint16{0x8100, 7<<13 | 100}, PassSocket},
		{"unknown", []uint16{0x8100, 99}, PassOther},
		{"known number of another kind", []uint16{0x88a8, 100}, PassOther},
		{"priority alone", []uint16{0x8100, 5 << 13}, PassSocket},
		{"known within priority", []uint16{0x8100, 5 << 13, 0x8100, 100}, PassSocket},
		{"two known", []uint16{0x88a8, 100, 0x8100, 101}, PassSocket},
		{"unknown within known", []uint16{0x88a8, 100, 0x8100, 102}, PassOther},
		{"known within unknown", []uint16{0x88a8, 99, 0x8100, 101}, PassOther},
		{"inner one alone", []uint16{0x8100, 101}, PassOther},
	} {
		for _, f := range []frame{{source: modem4, target: server4, payload: rrq}, {source: modem6, target: server6, payload: rrq}} {
			b := f.octets()
			tags := make([]byte, 0, 8)
			for _, v := range tt.tags {
				tags = binary.BigEndian.AppendUint16(tags, v)
			}
			if got := s.judged(t, slices.Concat(b[:12], tags, b[12:])); got != tt.want {
				t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
			}
		}
	}
}

// A frame for an address of a VLAN whose tag stands beside it, if it had one, is the kernel's; one with its tag is steered, and so is one
// for another address.
func TestTagsBeside(t *testing.T) {
	s := loadSteerForTest(t, testConfig())
	if err := s.programs[0].objs.Tagged.Put(addressOf(server4.Addr()), uint8(1)); err != nil {
		t.Fatal(err)
	}
	if err := s.programs[0].objs.VLANAddresses.Set(true); err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		f    frame
		want Verdict
	}{
		"no tag":              {frame{source: modem4, target: server4, payload: rrq}, PassOther},
		"no tag, to a TID":    {frame{source: modem4, target: tid4, payload: ack}, PassOther},
		"tag":                 {frame{source: modem4, target: server4, payload: rrq, tags: []uint16{0x8100}}, PassSocket},
		"two tags":            {frame{source: modem4, target: server4, payload: rrq, tags: []uint16{0x88a8, 0x8100}}, PassSocket},
		"another address":     {frame{source: modem6, target: server6, payload: rrq}, PassSocket},
		"another one, tagged": {frame{source: modem6, target: server6, payload: rrq, tags: []uint16{0x8100}}, PassSocket},
	} {
		if got := s.judged(t, tt.f.octets()); got != tt.want {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
