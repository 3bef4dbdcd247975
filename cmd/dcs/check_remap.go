package main

import (
	"bytes"
	"fmt"
	"strings"

	"dcs/cmd/internal/cli"
	"dcs/render/naming"
)

// remap prints the key rewrite equivalent to a map file of tftpd-hpa, and reports the lines that have no equivalent rule.
func remap(e cli.Env, file string) error {
	src, err := cli.ReadSource(e, file, 1<<20)
	if err != nil {
		return err
	}
	lines := naming.Remap(string(src))
	out, wrong := &bytes.Buffer{}, false
	fmt.Fprintln(out, "rewrite:")
	rules := 0
	for _, l := range lines {
		where := fmt.Sprintf("%s:%d: ", file, l.Line)
		switch {
		case l.Err != nil:
			fmt.Fprintf(e.Stderr, "%sno equivalent rule for %q: %v\n", where, l.Text, l.Err)
			wrong = true
		case l.Skip != "":
			fmt.Fprintf(e.Stderr, "%snote: %q is left out: %s\n", where, l.Text, l.Skip)
		default:
			if l.Note != "" {
				fmt.Fprintf(e.Stderr, "%snote: %q: %s\n", where, l.Text, l.Note)
			}
			fmt.Fprintf(out, "  - %s # line %d\n", yamlRule(&l.Rule), l.Line)
			rules++
		}
	}
	if rules == 0 {
		out.Reset()
		fmt.Fprintln(out, "rewrite: []")
	}
	if _, err := e.Stdout.Write(out.Bytes()); err != nil {
		return err
	}
	if wrong {
		return cli.ErrReported
	}
	return nil
}

// yamlRule formats a rule as the configuration's key rewrite expects it.
func yamlRule(r *naming.Rule) string {
	var parts []string
	text := func(key, s string) { parts = append(parts, key+": '"+strings.ReplaceAll(s, "'", "''")+"'") }
	if r.Match != "" {
		text("match", r.Match)
	} else {
		text("unless", r.Unless)
	}
	if r.Rewrite {
		text("to", r.To)
	}
	for _, o := range []struct {
		key string
		on  bool
	}{{"repeat", r.Repeat}, {"last", r.Last}, {"refuse", r.Refuse}} {
		if o.on {
			parts = append(parts, o.key+": on")
		}
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
