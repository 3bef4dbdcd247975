package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dcs/cmd/internal/cli"
	"dcs/render/plaintext"
)

// decodeTo is where decode writes.
type decodeTo struct {
	cli.Env
	out     string            // -o
	dir     bool              // below out
	force   bool              // replace files below out
	from    []string          // the boot files
	written map[string]string // boot file by path
}

// toFile reports whether decode writes to a file that is kept.
func (d *decodeTo) toFile() bool { return d.out != "" && d.out != cli.Stdio }

// write writes what was printed of a boot file.
func (d *decodeTo) write(name string, text []byte, document bool) error {
	switch {
	case !d.toFile():
		_, err := d.Stdout.Write(text)
		return err
	case !d.dir:
		return d.writeFile(d.out, text)
	case name == cli.Stdio:
		return cli.Usagef("standard input has no name to write to below %s: give -o FILE", d.out)
	}
	path := filepath.Join(d.out, decodedName(name, document))
	if other, taken := d.written[path]; taken {
		return fmt.Errorf("%s and %s both make %s; keeping the first", other, name, path)
	}
	d.written[path] = name
	if err := os.MkdirAll(d.out, 0o777); err != nil {
		return err
	}
	if !d.force && differs(path, text) {
		return fmt.Errorf("%s: exists, with other contents; --force replaces it", path)
	}
	return d.writeFile(path, text)
}

// writeFile writes a text to a file that is none of the boot files.
func (d *decodeTo) writeFile(path string, text []byte) error {
	if info, err := os.Stat(path); err == nil && info.Mode().IsRegular() {
		for _, name := range d.from {
			if from, err := os.Stat(name); err == nil && name != cli.Stdio && os.SameFile(info, from) {
				return fmt.Errorf("%s: the boot file %s itself; give another file or directory with -o", path, name)
			}
		}
	}
	return writeFile(path, text)
}

// differs reports whether path is a file with other contents than text.
func differs(path string, text []byte) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	if info.Size() != int64(len(text)) {
		return true
	}
	old, err := os.ReadFile(path)
	return err != nil || !bytes.Equal(old, text)
}

// decodedName returns the name for the text of a boot file: that of a template which is served under the boot file's name. A template has
// its own name without the extension, and that with .cm and .bin.
func decodedName(name string, document bool) string {
	name = filepath.Base(name)
	if document {
		return name + ".json"
	}
	for _, ext := range []string{".cm", ".bin"} {
		if base, ok := strings.CutSuffix(name, ext); ok && base != "" {
			return base + ".dcs"
		}
	}
	return name + ".dcs"
}

// notBootFile returns an error for a file that is empty or text, which has neither an end marker nor an MTA's delimiter.
func notBootFile(name string, file []byte) error {
	switch {
	case len(file) == 0:
		return fmt.Errorf("%s: empty file; decode takes a boot file", name)
	case !plaintext.Is(file):
		return nil
	case bytes.HasPrefix(bytes.TrimSpace(file), []byte("{")):
		return fmt.Errorf("%s: a document, not a boot file; dcs compile --json makes a boot file of it", name)
	}
	return fmt.Errorf("%s: text, not a boot file; dcs compile makes a boot file of it", name)
}
