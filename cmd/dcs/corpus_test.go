package main

import (
	"bytes"
	"encoding/csv"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/tlv"
)

// corpus is a directory of sources and the files that another encoder made of them. It is
// no part of the project; without it the tests are skipped.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("DCS_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus", "docsis")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("no corpus: %v", err)
	}
	return dir
}

// pair is a row of the corpus' MANIFEST.csv.
type pair struct {
	source, binary string // paths
	secret         string // path of a file with the secret
	modem          bool
	lenient        bool // it has keywords of other blocks
}

func pairs(t *testing.T) map[string]pair {
	t.Helper()
	dir := corpus(t)
	f, err := os.Open(filepath.Join(dir, "MANIFEST.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) < 2 {
		t.Fatalf("MANIFEST.csv: %d rows, %v", len(rows), err)
	}
	secrets := t.TempDir()
	all := map[string]pair{}
	for _, row := range rows[1:] {
		name, secret, kind, note := row[0], row[1], row[2], row[3]
		file := filepath.Join(secrets, "secret-"+secret)
		write(t, file, secret)
		all[name] = pair{
			source: filepath.Join(dir, name+".txt"), binary: filepath.Join(dir, name+".cm"),
			secret: file, modem: kind == "cm", lenient: strings.Contains(note, "keyword in a parent that is not its own"),
		}
	}
	return all
}

// Every source becomes the file that the other encoder made, byte for byte.
func TestCorpusCompiles(t *testing.T) {
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(p.binary)
			if err != nil {
				t.Fatal(err)
			}
			args := []string{"compile", p.source, "--secret-file", p.secret}
			strict := dcs("", args...)
			if p.lenient {
				if strict.status != failed || !strings.Contains(strict.stderr, p.source+":") {
					t.Errorf("without --lenient: status %d, %s", strict.status, strict.stderr)
				}
				args = append(args, "--lenient")
			}
			got := dcs("", args...)
			if got.status != done {
				t.Fatal(got.stderr)
			}
			if got.stdout != string(want) {
				t.Errorf("got  %x\nwant %x", got.stdout, want)
			}
			if p.lenient != strings.Contains(got.stderr, p.source+":") {
				t.Errorf("lenient is %v, said is %s", p.lenient, got.stderr)
			}
		})
	}
}

// Every file is decoded to text that compiles to it in both languages, and to a document that does, with its MICs found valid.
func TestCorpusDecodes(t *testing.T) {
	require.Long(t, "the whole corpus")
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(p.binary)
			if err != nil {
				t.Fatal(err)
			}
			text := dcs("", "decode", p.binary, "--secret-file", p.secret)
			if text.status != done {
				t.Fatalf("%s%s", text.stdout, text.stderr)
			}
			if p.modem && (!strings.Contains(text.stdout, "/* CM MIC: valid */\n") || !strings.Contains(text.stdout, "/* CMTS MIC: valid")) {
				t.Errorf("the MICs are not found valid:\n%s", text.stdout)
			}
			for _, ext := range []string{".dcs", ".cfg", ".txt"} {
				source := filepath.Join(t.TempDir(), "again"+ext)
				write(t, source, text.stdout)
				got := dcs("", "compile", source, "--secret-file", p.secret)
				if got.status != done || got.stdout != string(want) {
					t.Errorf("%s: got  %x\nwant %x\nof\n%s%s", ext, got.stdout, want, text.stdout, got.stderr)
				}
			}
			doc := dcs("", "decode", "--json", p.binary, "--secret-file", p.secret)
			if doc.status != done || doc.stderr != text.stderr {
				t.Errorf("as JSON: %d, %s", doc.status, doc.stderr)
			}
			for _, args := range [][]string{{"compile", "--json", "-"}, {"compile", "--json", "-", "--secret-file", p.secret}} {
				if len(args) > 3 && !p.modem {
					continue // it has no MIC
				}
				if got := dcs(doc.stdout, args...); got.status != done || got.stdout != string(want) || len(args) == 3 && got.stderr != "" {
					t.Errorf("%s: got  %x\nwant %x\nof\n%s%s", args, got.stdout, want, doc.stdout, got.stderr)
				}
			}
		})
	}
}

// Altered files, too, are decoded in no time, to text that compiles to the same settings in both languages, and to a document that gives the same octets.
func TestCorpusAltered(t *testing.T) {
	require.Long(t, "the whole corpus")
	rng := rand.New(rand.NewPCG(1, 2))
	for name, p := range pairs(t) {
		t.Run(name, func(t *testing.T) {
			original, err := os.ReadFile(p.binary)
			if err != nil {
				t.Fatal(err)
			}
			for range 4 {
				file := alter(rng, original)
				tree, err := tlv.Decode(file)
				if err != nil {
					continue // told with its offset
				}
				start := time.Now()
				text := dcs(string(file), "decode", "-")
				doc := dcs(string(file), "decode", "--json", "-")
				if d := time.Since(start); d > 10*time.Second || strings.Contains(text.stderr, "panic") {
					t.Errorf("%x takes %v: %s", file, d, text.stderr)
				}
				if got := dcs(doc.stdout, "compile", "--json", "-"); got.status != done || got.stdout != string(file) {
					t.Errorf("%x as JSON gives %x, %s", file, got.stdout, got.stderr)
				}
				if strings.Contains(text.stdout, "/* differs") {
					continue
				}
				for _, ext := range []string{".dcs", ".cfg"} {
					source := filepath.Join(t.TempDir(), "again"+ext)
					write(t, source, text.stdout)
					got := dcs("", "compile", source)
					again, err := tlv.Decode([]byte(got.stdout))
					if got.status != done || err != nil || !bytes.Equal(again.AppendBody(nil), tree.AppendBody(nil)) {
						t.Errorf("%x as %s gives %x, %s%v of\n%s", file, ext, got.stdout, got.stderr, err, text.stdout)
					}
				}
			}
		})
	}
}

// alter returns a file with some octets before its MICs changed.
func alter(rng *rand.Rand, file []byte) []byte {
	out := slices.Clone(file)
	most := max(1, len(out)-44)
	for range 1 + rng.IntN(3) {
		out[rng.IntN(most)] = [...]byte{0, 1, 4, 0x24, 0x2a, 0x30, 0x5c, 0x80, 0xff, byte(rng.Uint32())}[rng.IntN(10)]
	}
	return out
}

// The open encoder, where it is installed, makes the same file of the text. Its decoder is no witness: it loses what it has no keyword for.
func TestCorpusIsReadElsewhere(t *testing.T) {
	require.Long(t, "the whole corpus")
	encoder, err := exec.LookPath("docsis")
	if err != nil {
		t.Skipf("no open encoder: %v", err)
	}
	for name, p := range pairs(t) {
		if name == "StaticMulticastSession" {
			continue // whose CMTS MIC that encoder gets wrong
		}
		t.Run(name, func(t *testing.T) {
			want, err := os.ReadFile(p.binary)
			if err != nil {
				t.Fatal(err)
			}
			t.Chdir(t.TempDir())
			text := dcs("", "decode", "--numeric", p.binary)
			write(t, "again.cfg", text.stdout)
			args := []string{"-e", "again.cfg", p.secret, "again.cm"}
			if !p.modem {
				args = []string{"-p", "again.cfg", "again.cm"}
			}
			said, err := exec.Command(encoder, args...).CombinedOutput()
			if err != nil {
				t.Fatalf("%v: %s\n%s", err, said, text.stdout)
			}
			if got, err := os.ReadFile("again.cm"); err != nil || !bytes.Equal(got, want) {
				t.Errorf("got  %x\nwant %x\nof\n%s%v", got, want, text.stdout, err)
			}
		})
	}
}
