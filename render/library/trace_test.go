package library_test

import (
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/tlv"
)

// A file leads to the statements that wrote it, those of its own arm.
func TestTrace(t *testing.T) {
	const src = `Main ~ "^(?P<plan>[a-z]+)-(?P<n>[0-9]+)$" { NetworkAccess 1;
select $plan {
  gold { MaxCPE 8; }
  silver { MaxCPE 4; }
  default { include base; }
}
SwUpgradeFilename "fw-$n"; SnmpMibObject sysContact.0 String "$plan"; TftpTimestamp $time; }
Block base {
  MaxCPE 2; }`
	snap, err := library.LoadFile(library.Config{MIB: mib.Default()}, "x.dcs", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		line map[uint8]int // of each TLV's statement
		via  int           // line of the include that leads to MaxCPE; 0: none
	}{
		{"gold-1", map[uint8]int{3: 1, 18: 3, 9: 7, 11: 7, 19: 7, 255: 1}, 0},
		{"silver-12345", map[uint8]int{3: 1, 18: 4, 9: 7, 11: 7, 19: 7, 255: 1}, 0},
		{"other-1", map[uint8]int{3: 1, 18: 9, 9: 7, 11: 7, 19: 7, 255: 1}, 5},
	} {
		found := snap.Find([]byte(tt.name))
		skel, fault := snap.Skeleton(found, nil, false)
		if fault != nil {
			t.Fatalf("%s: %v", tt.name, fault)
		}
		var sc skeleton.Scratch
		v := skeleton.Values{Now: 5e9}
		found.Fill(&v)
		file, fault := skel.Build(nil, &v, &sc)
		if fault == nil {
			file, fault = skel.Sign(file, mic.NewSecret([]byte("x")), &sc)
		}
		if fault != nil {
			t.Fatalf("%s: %v", tt.name, fault)
		}
		f, ok := snap.Survey(nil).Trace(snap.Templates()[0], file)
		if !ok {
			t.Errorf("%s: no file of the survey is like it", tt.name)
			continue
		}
		tree, err := tlv.Decode(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range tree.Nodes {
			at := f.Place(n.Offset)
			if want, ok := tt.line[n.Code]; ok && at.Pos.Line != want {
				t.Errorf("%s: TLV %d is of line %d, not %d", tt.name, n.Code, at.Pos.Line, want)
			}
			if n.Code == 18 && (len(at.Via) > 0) != (tt.via > 0) || n.Code == 18 && tt.via > 0 && at.Via[0].Line != tt.via {
				t.Errorf("%s: includes %v, want line %d", tt.name, at.Via, tt.via)
			}
		}
		if len(f.Slots) != 1 || file[f.Slots[0].Off-2] != 19 {
			t.Errorf("%s: %+v vary, not the time alone", tt.name, f.Slots)
		}
		if _, ok := snap.Survey(nil).Trace(snap.Templates()[0], append([]byte{3, 1, 0}, file[3:]...)); ok {
			t.Errorf("%s: a file with another value of a constant is traced", tt.name)
		}
	}
}
