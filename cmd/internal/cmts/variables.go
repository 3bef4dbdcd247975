package cmts

import "regexp"

var variable = regexp.MustCompile(`\{\{\s*([a-z_0-9]*)\s*\}\}`)

// variables returns the names of the variables in a template.
func variables(s string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		names = append(names, m[1])
	}
	return names
}

// expand replaces the variables of a template. Their values are not expanded again.
func expand(s string, vars map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		return vars[variable.FindStringSubmatch(m)[1]]
	})
}
