package check

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/cmd/internal/cli"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
)

// Files of all kinds, altered at random, are checked within a second each, and none crashes the check. DCS_MUTATED sets how many; 100,000
// take one minute on two CPUs.
func TestMutated(t *testing.T) {
	n := 4000
	if require.AllTime() {
		n = 10_000
	}
	if s := os.Getenv("DCS_MUTATED"); s != "" {
		var err error
		if n, err = strconv.Atoi(s); err != nil {
			t.Fatal(err)
		}
	}
	seeds := mutationSeeds(t, "../../..")
	t.Chdir(t.TempDir())
	seed := uint64(time.Now().UnixNano())
	var next atomic.Int64
	var slowest atomic.Int64
	var all sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		all.Go(func() {
			for i := next.Add(1); i <= int64(n) && !t.Failed(); i = next.Add(1) {
				data := mutate(rand.New(rand.NewPCG(seed, uint64(i))), seeds)
				took := checkOnce(t, data)
				if took > time.Second { // the machine may have stalled
					took = min(took, checkOnce(t, data))
				}
				if took > time.Second {
					t.Errorf("%v for\n%q", took, data)
				}
				for was := slowest.Load(); int64(took) > was && !slowest.CompareAndSwap(was, int64(took)); was = slowest.Load() {
				}
			}
		})
	}
	all.Wait()
	t.Logf("%d files, the slowest %v", n, time.Duration(slowest.Load()))
}

// checkOnce checks a file as dcs check - does, and returns how long that took.
func checkOnce(t *testing.T, data []byte) time.Duration {
	defer func() {
		if why := recover(); why != nil {
			t.Errorf("%v for\n%q\n%s", why, data, debug.Stack())
		}
	}()
	var stdout, stderr bytes.Buffer
	begun := time.Now()
	err := Files(cli.Env{Stdin: bytes.NewReader(data), Stdout: &stdout, Stderr: &stderr}, []string{cli.Stdio}, library.Config{MIB: mib.Default(), Learned: 1}, Lint{Format: "text", Notes: true})
	took := time.Since(begun)
	if err != nil && !errors.Is(err, cli.ErrReported) {
		t.Errorf("%v for\n%q", err, data)
	}
	if err != nil && stderr.Len() == 0 {
		t.Errorf("refused without a word:\n%q", data)
	}
	return took
}

// mutationSeeds are the sources of the repository's example library and of the manual, and the boot files that they make.
func mutationSeeds(t *testing.T, root string) (seeds [][]byte) {
	t.Helper()
	add := func(text string) {
		seeds = append(seeds, []byte(text))
		lib := library.Config{MIB: mib.Default(), Learned: 1}
		lib.Schema, _ = attr.NewSchema(variables([]byte(text))...)
		snap, err := library.LoadFile(lib, "seed.dcs", []byte(text))
		if err != nil || len(snap.Templates()) == 0 {
			return
		}
		survey := snap.Survey(nil)
		for f := range survey.Files(snap.Templates()[0]) {
			seeds = append(seeds, f.Octets)
			break
		}
	}
	sources, _ := filepath.Glob(filepath.Join(root, "testdata/library/*"))
	for _, path := range sources {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		add(string(text))
	}
	pages, _ := filepath.Glob(filepath.Join(root, "cmd/dcs/doc/*.md"))
	for _, path := range pages {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile("(?s)```dcs[^\n]*\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
			add(m[1])
		}
	}
	if len(seeds) < 20 {
		t.Fatalf("%d seeds", len(seeds))
	}
	return seeds
}

// words are put into files.
var words = strings.Fields(`{ } ; "" $x $1 ${x} ~ "^(?P<x>a|b)$" select include default Block Main Text Binary 4294967296 -1 0x 0xffffffff 1..2 * / + - 10.0.0.1 fd00::1
	UsServiceFlow DsServiceFlow SnmpMibObject sysContact.0 String Integer GenericTLV TlvCode 43 VendorSpecific TftpTimestamp $time $ip $mac /* */ # // \ dcs:lenient dcs:allow`)

// mutate returns a seed, or two of them spliced, with some spans deleted, repeated or replaced.
func mutate(r *rand.Rand, seeds [][]byte) []byte {
	out := bytes.Clone(seeds[r.IntN(len(seeds))])
	if r.IntN(4) == 0 {
		other := seeds[r.IntN(len(seeds))]
		out = append(out[:r.IntN(len(out)+1)], other[r.IntN(len(other)+1):]...)
	}
	for range 1 + r.IntN(8) {
		if len(out) == 0 || len(out) > 1<<16 {
			break
		}
		at := r.IntN(len(out))
		end := at + r.IntN(min(len(out)-at, 1<<r.IntN(10))+1)
		switch r.IntN(6) {
		case 0:
			out[at] ^= 1 << r.IntN(8)
		case 1:
			out[at] = byte(r.IntN(256))
		case 2:
			out = append(out[:at:at], out[end:]...)
		case 3:
			out = append(out[:end:end], out[at:]...)
		case 4:
			out = append(out[:at:at], append(bytes.Repeat(out[at:end], 1+r.IntN(30)), out[end:]...)...)
		case 5:
			word := fmt.Sprintf(" %s ", words[r.IntN(len(words))])
			out = append(out[:at:at], append([]byte(word), out[end:]...)...)
		}
	}
	return out
}
