package cmts

import "regexp"

var variable = regexp.MustCompile(`\{\{\s*([a-z_0-9]*)\s*\}\}`)

func variables(s string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		names = append(names, m[1])
	}
	return names
}

// expand fills in the variables, once: what they hold is not looked at again.
func expand(s string, vars map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		return vars[variable.FindStringSubmatch(m)[1]]
	})
}
