package assemble

import (
	"path/filepath"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/render/naming"
)

// DefaultNaming are the rules of a server whose configuration says nothing about names.
var DefaultNaming = func() *naming.Rules {
	r, err := NamingRules(&config.Names{Backslash: true}, nil)
	if err != nil {
		panic("names: " + err.Error()) // it has no rewrite rules that could fail
	}
	return r
}()

// NamingRules returns the rules for requested names. Files of the static directories may be requested by their paths.
func NamingRules(c *config.Names, static []string) (*naming.Rules, error) {
	roots := slices.Clone(c.Roots)
	for _, dir := range static { // relative if the configuration's path is
		if path, err := filepath.Abs(dir); err == nil {
			roots = append(roots, path)
		}
	}
	return naming.New(naming.Config{Backslash: c.Backslash, IgnoreCase: c.IgnoreCase, Roots: roots, Rewrite: c.Rewrite})
}
