package config

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

//go:generate go run ./example ../../dcs/packaging/dcs.yaml
//go:generate go run ./example ../../dcs/packaging/etc/dcs.yaml library=[/etc/dcs/library] admin=[unix:/run/dcs/admin.sock]

// Example returns a configuration file that documents every key, with its default or its value in set.
func Example(set map[string]string) string {
	var b strings.Builder
	defaults := "at its default"
	if len(set) > 0 {
		defaults = "at its default except " + strings.Join(slices.Sorted(maps.Keys(set)), " and ")
	}
	fmt.Fprintf(&b, `# The configuration of dcs serve, with every key %s.
# A missing key has its default. A flag of the same name, with dashes for
# underscores, overrides the file. A list with one element needs no brackets.
# Relative paths start at this file's directory.
# "dcs check --config FILE" reports every mistake in a file.
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
