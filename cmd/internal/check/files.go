package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/judge"
	"dcs/render/attr"
	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/plaintext"
)

// Files judges single files without a configuration: boot files, and texts with what they include. Variables that nothing defines
// are taken as attributes of devices. It returns [cli.ErrReported] if a file fails the check.
func Files(e cli.Env, names []string, lib library.Config, l Lint) error {
	l.MIB = lib.MIB
	given := map[string][]byte{} // standard input, which cannot be read again
	allows := &lint.Allows{Read: func(path string) ([]byte, error) {
		if src, ok := given[path]; ok {
			return src, nil
		}
		return os.ReadFile(path)
	}}
	var found []lint.Finding
	for _, name := range names {
		title := cli.Title(name)
		data, err := cli.ReadSource(e, name, bootfile.MaxSize)
		if err != nil {
			found = append(found, findings(title, withoutPath(err))...)
			continue
		}
		if name == cli.Stdio {
			given[title], given[name] = data, data
		}
		found = append(found, l.judgeFile(title, name, data, lib, allows)...)
	}
	shown, bad := l.judge(found)
	if err := cmp.Or(l.write(shown, e.Stdout, e.Stderr), bad); err != nil || l.Documents() {
		return err
	}
	_, err := fmt.Fprintf(e.Stdout, "ok: %d files\n", len(names))
	return err
}

// judgeFile returns the findings of one file.
func (l *Lint) judgeFile(title, name string, data []byte, lib library.Config, allows *lint.Allows) []lint.Finding {
	if !plaintext.Is(data) {
		if f := judge.Binary(title, data); f != nil {
			return lint.Check(f, &l.Options)
		}
		if !plaintext.Legacy(data) {
			return findings(title, errors.New("neither a text nor a boot file"))
		}
	}
	if len(strings.TrimSpace(string(data))) == 0 {
		return findings(title, errors.New("the file is empty"))
	}
	lib.Schema, _ = attr.NewSchema(variables(data)...)
	snap, err := library.LoadFile(lib, name, data)
	var found []lint.Finding
	if err != nil {
		found = findings(title, err)
	}
	if snap == nil {
		return found
	}
	found = append(found, lint.Compiled(snap.Warnings)...)
	w := judge.Work{Library: snap, Options: l.Options, Allows: allows, Goroutines: 1}
	found = append(found, w.Run(context.Background()).List...)
	return append(found, judge.Unrendered(snap, &l.Options, false)...)
}

var variable = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)|\(\?P?<([A-Za-z_][A-Za-z0-9_]*)>`)

// variables returns the names of a text's variables that neither a request nor a group of a pattern defines.
func variables(src []byte) []string {
	known := map[string]bool{"ip": true, "mac": true, "server": true, "time": true, "filename": true}
	var out []string
	found := variable.FindAllSubmatch(src, -1)
	for _, m := range found {
		known[string(m[2])] = true
	}
	for _, m := range found {
		if name := string(m[1]); !known[name] {
			known[name] = true
			out = append(out, name)
		}
	}
	return out
}

// withoutPath returns what is wrong with a file, without its path.
func withoutPath(err error) error {
	var at *os.PathError
	if errors.As(err, &at) {
		return at.Err
	}
	return err
}
