package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/require"
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

// Every file is decoded to text that compiles to it, with its MICs found valid.
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
			if p.modem && (!strings.Contains(text.stdout, "# CM MIC: valid\n") || !strings.Contains(text.stdout, "# CMTS MIC: valid")) {
				t.Errorf("the MICs are not found valid:\n%s", text.stdout)
			}
			got := dcs(text.stdout, "compile", "-", "--secret-file", p.secret)
			if got.status != done || got.stdout != string(want) {
				t.Errorf("got  %x\nwant %x\nof\n%s%s", got.stdout, want, text.stdout, got.stderr)
			}
			if doc := dcs("", "decode", "--json", p.binary, "--secret-file", p.secret); doc.status != done || doc.stderr != text.stderr {
				t.Errorf("as JSON: %d, %s", doc.status, doc.stderr)
			}
		})
	}
}
