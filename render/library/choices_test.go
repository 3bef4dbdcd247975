package library

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/ber/mib"
)

// chosen is a library of n templates whose includes a variable chooses from blocks.
type chosen struct {
	name   string
	main   func(i int) string
	block  string // a format with the block's number
	blocks int    // of 10,000 templates; 0: a file beside each
	dirs   int    // that the templates lie in
	large  bool   // it is loaded in the size that is promised
	asked  string
	want   []byte
}

var chosenLibraries = []chosen{
	{name: "attribute, three blocks", blocks: 3, dirs: 1, block: "Block b%d { MaxCPE %[1]d; }", main: func(i int) string {
		return fmt.Sprintf("Main \"t%d\" { NetworkAccess 1; include $profile; }", i)
	}},
	{name: "attribute, defaults", large: true, blocks: 3, dirs: 1, block: "Block b%d { UsServiceFlow { MaxRateSustained $down * 1000; } }", main: func(i int) string {
		return fmt.Sprintf("Main \"t%d\" { default down %[1]d; NetworkAccess 1; include $profile; }", i)
	}},
	{name: "attribute, 10,000 names", blocks: 10000, dirs: 100, block: "Block b%d { MaxCPE $cpe; default cpe 7; }", main: func(i int) string {
		return fmt.Sprintf("Main \"t%d\" { default x %[1]d; NetworkAccess 1; include $profile; }", i)
	}},
	{name: "capture, one block", blocks: 1, dirs: 1, block: "Block isp-%d { MaxCPE %[1]d; }", main: ispMain},
	{name: "capture, 100 blocks", large: true, asked: "t9-0", want: []byte{3, 1, 1, 18, 1, 9}, blocks: 100, dirs: 100, block: "Block isp-%d { MaxCPE $cpe; }", main: ispMain},
	{name: "capture, 10,000 blocks", blocks: 10000, dirs: 100, block: "Block isp-%d { MaxCPE 7; }", main: ispMain},
	{name: "capture, files", dirs: 10000, asked: "t7-x", want: []byte{18, 1, 7}, main: func(i int) string {
		return fmt.Sprintf("Main ~ \"^t%d-(?P<isp>[a-z]+)$\" { default cpe %[2]d; include \"t/$isp-%[1]d.dcs\"; }", i, i%100)
	}},
}

func ispMain(i int) string {
	return fmt.Sprintf("Main ~ \"^t%d-(?P<isp>[a-z0-9]+)$\" { default cpe %d; NetworkAccess 1; include \"isp-$isp\"; }", i, i%100)
}

// files writes the library with n templates, for 10,000 of which its blocks are counted.
func (ch *chosen) files(n int) map[string]string {
	files := map[string]string{}
	for i := range n {
		files[fmt.Sprintf("d%d/t%d.dcs", i%ch.dirs, i)] = ch.main(i)
		if ch.blocks == 0 {
			files[fmt.Sprintf("d%d/t/x-%d.dcs", i, i)] = "Main { default cpe 3; MaxCPE $cpe; }"
		}
	}
	text := "Block none { }\n"
	for i := range min(ch.blocks, max(3, ch.blocks*n/10000)) {
		text += fmt.Sprintf(ch.block, i) + "\n"
	}
	files["blocks.dcs"] = text
	return files
}

// TestChosen loads templates whose includes a variable chooses. What they may mean is looked
// at once, so that 10,000 take some 1 s and not the square of it.
func TestChosen(t *testing.T) {
	require.Longest(t, "10,000 templates")
	schema, err := attr.NewSchema("profile")
	if err != nil {
		t.Fatal(err)
	}
	for _, ch := range chosenLibraries {
		t.Run(ch.name, func(t *testing.T) {
			n := 1000
			if ch.large {
				n = 10000
			}
			if all := os.Getenv("DCS_CHOSEN"); all != "" {
				n, err = strconv.Atoi(all)
				check(t, err)
			}
			dir := tree(t, ch.files(n))
			start := cpuTime(t)
			s, err := Load(Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema}, nil)
			took := cpuTime(t) - start
			if err != nil {
				t.Fatal(err.Error()[:min(len(err.Error()), 500)])
			}
			if len(s.Templates()) != n+ch.unasked(n) {
				t.Errorf("%d templates of %d", len(s.Templates()), n)
			}
			t.Logf("%d templates in %v", n, took)
			if most := time.Duration(n) * slowdown * time.Second / 2000; took > most { // some four times what it takes
				t.Errorf("loading took %v, want at most %v", took, most)
			}
			if ch.asked != "" {
				if got := staticBody(t, s, ch.asked); !bytes.Equal(got, ch.want) {
					t.Errorf("%s: %x, want %x", ch.asked, got, ch.want)
				}
			}
		})
	}
}

// unasked is how many templates there are beside those that a variable chooses for.
func (ch *chosen) unasked(n int) int {
	if ch.blocks == 0 {
		return n
	}
	return 0
}
