package assemble

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/cmd/internal/config"
)

// MaxLinks is how many symbolic links the kernel follows in a path (path_resolution(7)).
const MaxLinks = 40

// OwnDirs returns the directories that the server writes to. With the key user, that user will own them, so they must not contain
// what the server only reads: the user could replace the configuration, whose file may be "", or the secrets. Each directory
// that is left out for this reason has a warning.
func OwnDirs(file string, cfg *config.Config) (dirs, warnings []string) {
	add := func(key, dir string) {
		if cfg.User != "" {
			if what := readBelow(dir, file, cfg); what != "" {
				w := fmt.Sprintf("%s: %s is not given to the user %s, as %s; use a directory for the server only", key, dir, cfg.User, what)
				if !slices.Contains(warnings, w) {
					warnings = append(warnings, w)
				}
				return
			}
		}
		dirs = append(dirs, dir)
	}
	if len(cfg.Devices.Sources) > 0 {
		add("devices_dir", DevicesDir(&cfg.Devices))
	}
	for _, a := range cfg.Admin {
		if path, ok := strings.CutPrefix(a, "unix:"); ok {
			add("admin", filepath.Dir(path))
		}
	}
	return dirs, warnings
}

// readBelow says which file of the configuration the server reads at or below dir, "" if none.
func readBelow(dir, file string, cfg *config.Config) string {
	steps := resolve(dir)
	dir = steps[len(steps)-1]
	below := func(path string) bool {
		return slices.ContainsFunc(resolve(path), func(p string) bool {
			return p == dir || strings.HasPrefix(p, strings.TrimSuffix(dir, "/")+"/")
		})
	}
	if file != "" && below(file) {
		return "the configuration " + file + " is there"
	}
	for _, f := range cfg.Reads() {
		if below(f.Path) {
			return fmt.Sprintf("%s %s is there", f.Key, f.Path)
		}
	}
	return ""
}

// resolve returns the paths of the symbolic links that path goes through and, last, the path that it resolves to, which need not
// exist.
func resolve(path string) []string {
	path, err := filepath.Abs(path)
	if err != nil {
		return []string{path} // there is no working directory
	}
	var links []string
	at, rest := "/", strings.Split(path, "/")
	for len(rest) > 0 {
		next := filepath.Join(at, rest[0])
		rest = rest[1:]
		to, err := os.Readlink(next)
		if err != nil || len(links) == MaxLinks {
			at = next
			continue
		}
		links = append(links, next)
		if filepath.IsAbs(to) {
			at = "/"
		}
		rest = append(strings.Split(to, "/"), rest...)
	}
	return append(links, at)
}
