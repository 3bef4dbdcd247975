package config

import (
	"fmt"
	"strings"
)

//go:generate go run ./example ../../dcs/doc/reference.md

// Reference returns the page of the manual that documents all keys.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Reference of keys

The configuration of dcs serve, dcs.yaml: every key with its default.

The file is YAML; unknown keys are errors. All keys are optional, except that one of [library](#library) and [static](#static) must be
set. Most keys are flags of ` + "`dcs serve`" + ` too, with dashes for underscores; a flag overrides the file. A list with one element may be written
without brackets. Relative paths start at the directory of the file. ` + "`dcs check --config FILE`" + ` reports every mistake with its line and column.
`)
	var c Config
	for _, s := range c.sections() {
		fmt.Fprintf(&b, "\n## %s\n", s.heading)
		for _, k := range s.keys {
			fmt.Fprintf(&b, "\n### %s\n\nDefault: `%s`. ", k.Name, k.Default)
			if k.field.structured {
				b.WriteString("No flag.\n")
			} else {
				fmt.Fprintf(&b, "Flag: `--%s`.\n", k.Flag())
			}
			b.WriteString(markdown(k))
		}
	}
	return b.String()
}

// markdown returns a key's documentation as paragraphs, and its indented lines, the example, as a code block.
func markdown(k Key) string {
	text, example, _ := strings.Cut(k.Doc, "\n  ")
	out := "\n" + escape.Replace(text) + "\n"
	if example == "" {
		return out
	}
	lines := strings.Split("  "+example, "\n")
	rest := len(lines)
	for rest > 0 && !strings.HasPrefix(lines[rest-1], "  ") {
		rest--
	}
	out += "\n```yaml\n" + k.Name + ":\n" + strings.Join(lines[:rest], "\n") + "\n```\n"
	if rest < len(lines) {
		out += "\n" + escape.Replace(strings.Join(lines[rest:], "\n")) + "\n"
	}
	return out
}

// escape escapes plain text for Markdown.
var escape = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `<`, `\<`, "`", "\\`")
