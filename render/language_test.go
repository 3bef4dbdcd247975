package render

import (
	"os"
	"regexp"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/library"
)

// TestLanguage compiles the examples of language.md of the manual.
func TestLanguage(t *testing.T) {
	page, err := os.ReadFile("../cmd/dcs/doc/language.md")
	if err != nil {
		t.Fatal(err)
	}
	examples := regexp.MustCompile("(?s)```dcs\n(.*?)```").FindAllSubmatch(page, -1)
	if len(examples) != 6 {
		t.Errorf("%d examples, want 6", len(examples))
	}
	for i, ex := range examples {
		snap, err := library.LoadFile(library.Config{MIB: mib.Default()}, "LANGUAGE.dcs", ex[1])
		if err != nil {
			t.Errorf("example %d:\n%v", i+1, err)
			continue
		}
		for _, w := range snap.Warnings {
			t.Errorf("example %d warns: %v", i+1, w)
		}
		for _, name := range []string{"cm-1.bin", "mta.bin", "isrrip8bw3.bin", "gold.cm", "silver.cm", "bw2"} {
			l := snap.Find(library.Hash([]byte(name)), []byte(name))
			if l == nil {
				continue
			}
			if _, fault := snap.Skeleton(l, nil, false); fault != nil {
				t.Errorf("example %d: %s: %v", i+1, name, fault)
			}
		}
	}
}
