package assemble

import (
	"path/filepath"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/render/naming"
)

// DefaultNaming reads names as a server does whose configuration says nothing of them.
var DefaultNaming = func() *naming.Rules {
	r, err := NamingRules(&config.Names{Backslash: true}, nil)
	if err != nil {
		panic("names: " + err.Error()) // there are no rules that could be wrong
	}
	return r
}()

// NamingRules says how names are read, where files of the directories static may be asked for by their paths.
func NamingRules(c *config.Names, static []string) (*naming.Rules, error) {
	roots := slices.Clone(c.Roots)
	for _, dir := range static { // which may be relative, as the configuration's own path may be
		if path, err := filepath.Abs(dir); err == nil {
			roots = append(roots, path)
		}
	}
	return naming.New(naming.Config{Backslash: c.Backslash, IgnoreCase: c.IgnoreCase, Roots: roots, Rewrite: c.Rewrite})
}
