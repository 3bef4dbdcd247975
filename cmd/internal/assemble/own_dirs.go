package assemble

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/cmd/internal/config"
)

// MaxLinks are as many symbolic links as the kernel follows in a path (path_resolution(7)).
const MaxLinks = 40

// OwnDirs returns the directories that the server writes to. With user, they are those of that user, and what the server
// is to read alone must not be in them: in the directory of the configuration, whose file may be "", or of the secrets he could
// replace either. There is a warning for each directory that is left out for that.
func OwnDirs(file string, cfg *config.Config) (dirs, warnings []string) {
	add := func(key, dir string) {
		if cfg.User != "" {
			if what := readBelow(dir, file, cfg); what != "" {
				w := fmt.Sprintf("%s: %s is not given to the user %s, as %s: name a directory that is the server's alone", key, dir, cfg.User, what)
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

// readBelow says what of a configuration the server reads at or below dir, "" if nothing.
func readBelow(dir, file string, cfg *config.Config) string {
	way := wayTo(dir)
	dir = way[len(way)-1]
	below := func(path string) bool {
		return slices.ContainsFunc(wayTo(path), func(p string) bool {
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

// wayTo returns where each symbolic link is that leads to a path and, last, where the path leads, there or not.
func wayTo(path string) []string {
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
