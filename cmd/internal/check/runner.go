package check

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/coreos/go-systemd/v22/unit"
	"golang.org/x/sys/unix"

	"dcs/cmd/internal/account"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/privilege"
)

// runner is the user that the server runs as.
type runner struct {
	name string
	cred *syscall.Credential // nil: the present user
	caps []string            // capabilities of the server, besides cred
	// absent is set if the runner is another user and this process, without root, cannot change to it.
	absent bool
}

// as calls f with the rights of the runner.
func (r *runner) as(f func()) error {
	if r.cred == nil {
		f()
		return nil
	}
	if err := privilege.As(r.cred, r.caps, f); err != nil {
		return fmt.Errorf("user %s: %w", r.name, err)
	}
	return nil
}

// unitDirs are systemd's directories of units, in order of precedence (systemd.unit(5)).
var unitDirs = []string{"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system"}

// runnerOf returns the user that a server with this configuration runs as: the key user; else the user of the packaged unit, if
// it starts the server with this configuration; else the present user.
func runnerOf(file string, cfg *config.Config, dirs []string) (runner, error) {
	r := runner{name: cfg.User, caps: assemble.Opening}
	var group string
	if cfg.User == "" {
		u := readUnit(dirs, "dcs.service")
		if file == "" || !u.starts(file) {
			return runner{}, nil
		}
		r.name, group, r.caps = last(u["User"]), last(u["Group"]), strings.Fields(strings.Join(u["AmbientCapabilities"], " "))
	}
	if r.name == "" {
		return runner{}, nil
	}
	cred, err := account.Lookup(r.name)
	if err != nil {
		return runner{}, err
	}
	if group != "" {
		other, err := account.Lookup("0:" + group)
		if err != nil {
			return runner{}, err
		}
		cred.Gid = other.Gid
	}
	switch uid := os.Geteuid(); {
	case uid == int(cred.Uid):
		return runner{}, nil
	case uid != 0:
		return runner{name: r.name, absent: true}, nil
	}
	r.cred = cred
	return r, nil
}

// unitFile is the settings of a unit with all of their values.
type unitFile map[string][]string

// readUnit reads the section Service of a unit and its drop-ins.
func readUnit(dirs []string, name string) unitFile {
	u := unitFile{}
	for _, dir := range dirs {
		if u.read(filepath.Join(dir, name)) == nil {
			break
		}
	}
	dropIns := map[string]string{} // by name; the first directory takes precedence
	for _, dir := range slices.Backward(dirs) {
		found, _ := filepath.Glob(filepath.Join(dir, name+".d", "*.conf"))
		for _, path := range found {
			dropIns[filepath.Base(path)] = path
		}
	}
	for _, base := range slices.Sorted(maps.Keys(dropIns)) {
		_ = u.read(dropIns[base])
	}
	return u
}

// read reads one file of a unit.
func (u unitFile) read(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	options, err := unit.DeserializeOptions(f)
	for _, o := range options {
		if o.Section != "Service" {
			continue
		}
		if o.Value == "" { // an empty value resets the setting
			delete(u, o.Name)
			continue
		}
		u[o.Name] = append(u[o.Name], o.Value)
	}
	return err
}

// starts reports whether the unit starts a server with a configuration.
func (u unitFile) starts(file string) bool {
	for _, command := range u["ExecStart"] {
		if args := strings.Fields(command); slices.Contains(args, "serve") && sameFile(file, configOf(args)) {
			return true
		}
	}
	return false
}

// last returns the last value; empty: none.
func last(values []string) string {
	if len(values) == 0 {
		return ""
	}
	return values[len(values)-1]
}

// sameFile reports whether two paths are the same file.
func sameFile(a, b string) bool {
	first, err := os.Stat(a)
	if err != nil {
		return false
	}
	second, err := os.Stat(b)
	return err == nil && os.SameFile(first, second)
}

// checkReads reports files that the server's user, whose rights it is called with, may not read.
func (c *checker) checkReads() {
	for _, err := range assemble.UnreadableFiles(c.cfg) {
		c.fail(err)
	}
	if c.File == "" {
		return
	}
	if err := unix.Faccessat(unix.AT_FDCWD, c.File, unix.R_OK, unix.AT_EACCESS); err != nil {
		c.fail(&fs.PathError{Op: "access", Path: c.File, Err: err}) // SIGHUP reads it again
	}
}
