package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:generate go run ./example ../../dcs/packaging/dcs.yaml
//go:generate go run ./example ../../dcs/packaging/etc/dcs.yaml library=[/etc/dcs/library] admin=[unix:/run/dcs/admin.sock]

// Example returns a file that says of every key what it does, with its default or with the value that set has for it.
func Example(set map[string]string) string {
	var b strings.Builder
	defaults := "at its default"
	if len(set) > 0 {
		defaults = "at its default but for " + strings.Join(slices.Sorted(maps.Keys(set)), " and ")
	}
	fmt.Fprintf(&b, `# The configuration of dcs serve, with every key %s.
# A key that is left away has that default; a flag of the same name, with dashes
# for underscores, goes before the file. A list of one may stand without brackets.
# Relative paths begin at this file's directory.
# "dcs check --config FILE" says what is wrong with a file.
`, defaults)
	var c Config
	for _, k := range c.Keys() {
		b.WriteByte('\n')
		for line := range strings.SplitSeq(k.Doc, "\n") {
			fmt.Fprintf(&b, "# %s\n", line)
		}
		value, ok := set[k.Name]
		if !ok {
			value = k.Default
		}
		fmt.Fprintf(&b, "%s: %s\n", k.Name, value)
	}
	return b.String()
}
