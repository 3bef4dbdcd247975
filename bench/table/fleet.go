package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dcs/bench/rig"
)

// modem returns the template of bench/peers for a modem's file with other names: what stands before the braces.
func modem(body, head string) string {
	return head + " {\n    default cpe 4;\n    default tier 2;\n" + body
}

// modemBody returns that template from after its brace.
func modemBody() (string, error) {
	file, err := rig.Path("bench", "peers", "library", "modem.dcs")
	if err != nil {
		return "", err
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	_, body, ok := strings.Cut(string(b), "{\n")
	if !ok {
		return "", fmt.Errorf("%s: no template", file)
	}
	return body, nil
}

// inOneFile is the number of literal templates in a file.
const inOneFile = 1000

// writeLiterals writes n templates with the names m0.bin and up.
func writeLiterals(dir, body string, n int) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for first := 0; first < n; first += inOneFile {
		var b strings.Builder
		for i := first; i < min(n, first+inOneFile); i++ {
			b.WriteString(modem(body, fmt.Sprintf("Main \"m%d.bin\"", i)))
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%06d.dcs", first)), []byte(b.String()), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeDevices replaces a table by one of n devices.
func writeDevices(file string, n int) error {
	f, err := os.Create(file + ".new")
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	fmt.Fprintln(w, "mac,profile")
	for i := range n {
		fmt.Fprintf(w, "%012x,profile-%d\n", 0x02<<40|i, i%200)
	}
	return errors.Join(w.Flush(), os.Rename(f.Name(), file))
}
