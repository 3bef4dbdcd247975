// Package check finds errors and unsafe settings of a configuration, on the host that will serve it.
package check

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/httpboot"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/syntax"
)

// Options say what to check.
type Options struct {
	File           string   // the configuration file; "": none
	Wrong          error    // of the configuration itself
	Devices        bool     // load all devices
	Offline        bool     // do not open device sources
	NoHost         bool     // do not check this host
	Lint           Lint     // how files are judged
	UnitDirs       []string // directories of systemd units, in order of precedence; nil: systemd's
	Stdout, Stderr io.Writer
}

// Run reports all errors of a configuration. It returns [cli.ErrReported] if there are any.
func Run(cfg *config.Config, o Options) error {
	if o.UnitDirs == nil {
		o.UnitDirs = unitDirs
	}
	c := &checker{Options: o, cfg: cfg, reported: map[string]bool{}}
	err := c.check()
	if o.Lint.Documents() {
		err = cmp.Or(o.Lint.write(c.found, o.Stdout, o.Stderr), err)
	}
	return err
}

// check checks everything.
func (c *checker) check() error {
	if c.Wrong != nil {
		c.fail(c.Wrong)
	}
	_, warnings := assemble.OwnDirs(c.File, c.cfg)
	c.warn(warnings...)
	if c.NoHost {
		return c.run()
	}
	var err error
	if c.runner, err = runnerOf(c.File, c.cfg, c.UnitDirs); err != nil {
		c.fail(err)
	}
	c.checkHost()
	c.asRunner(c.checkReads)
	return c.run()
}

// checker checks a configuration and what it refers to.
type checker struct {
	Options
	cfg      *config.Config
	runner   runner
	reported map[string]bool // paths of unreadable files
	bad      error           // cli.ErrReported after an error
	found    []lint.Finding  // for the document
	values   *library.Values // of devices; nil: they were not loaded
}

// tell reports an error, a warning or a note: as this line, or in the document.
func (c *checker) tell(s lint.Severity, at lint.Spot, text, line string) {
	if c.Lint.Documents() {
		c.found = append(c.found, lint.Told(s, at, text))
		return
	}
	fmt.Fprintln(c.Stderr, line)
}

// tellAt reports a warning or a note about a source.
func (c *checker) tellAt(s lint.Severity, e *syntax.Error) {
	c.tell(s, lint.Spot{Place: lint.Place{Pos: e.Pos}}, e.Msg, fmt.Sprintf("%s: %s: %s", e.Pos, s, e.Msg))
}

// tellError reports the parts of an error.
func (c *checker) tellError(err error) {
	if c.Lint.Documents() {
		c.found = append(c.found, findings(c.File, err)...)
		return
	}
	fmt.Fprintln(c.Stderr, err)
}

// fail reports an error, but that of an unreadable file only once.
func (c *checker) fail(err error) {
	c.bad = cli.ErrReported
	if !errors.Is(err, fs.ErrPermission) {
		c.tellError(err)
		return
	}
	for _, err := range assemble.Flatten(err) {
		var at *fs.PathError
		if errors.Is(err, fs.ErrPermission) && errors.As(err, &at) {
			if c.reported[at.Path] {
				continue
			}
			c.reported[at.Path] = true
			if c.runner.cred != nil {
				err = fmt.Errorf("user %s: %w; change its owner, group or mode", c.runner.name, err)
			}
		}
		c.tellError(err)
	}
}

// warn reports warnings.
func (c *checker) warn(lines ...string) {
	for _, line := range lines {
		c.tell(lint.Warning, lint.Spot{File: c.File}, line, "warning: "+line)
	}
}

func (c *checker) note(text string) {
	c.tell(lint.Note, lint.Spot{File: c.File}, text, "note: "+text)
}

// asRunner calls f with the rights of the server's user.
func (c *checker) asRunner(f func()) {
	if err := c.runner.as(f); err != nil {
		c.fail(err)
	}
}

// run checks everything but the host.
func (c *checker) run() error {
	var secrets *assemble.Secrets
	var lib library.Config
	c.asRunner(func() { secrets, lib = c.checkFiles() })
	if len(c.cfg.Devices.Sources) > 0 {
		var err error
		if c.Offline {
			lib.Schema, err = assemble.SavedAttributes(c.Stderr, c.note, &c.cfg.Devices)
		} else {
			lib.Schema, err = c.checkDevices()
		}
		if err != nil {
			c.fail(err)
		}
		if lib.Schema == nil || c.bad != nil && lib.Schema.Len() == 0 {
			// Static files can be checked without attributes.
			alone := lib
			alone.Dirs = nil
			c.asRunner(func() {
				if snap, err := library.Load(alone, nil); err == nil && !c.checkStatic(secrets, snap) {
					c.bad = cli.ErrReported
				}
			})
		}
		if c.Offline && lib.Schema == nil && c.bad == nil {
			if c.Lint.Documents() {
				return nil
			}
			_, err := fmt.Fprintln(c.Stdout, "ok: the library was not checked")
			return err
		}
		if c.bad != nil && lib.Schema.Len() == 0 {
			return cli.ErrReported // as above
		}
	}
	var snap *library.Snapshot
	c.asRunner(func() { snap = c.checkLibrary(lib, secrets) })
	if c.bad != nil {
		return cli.ErrReported
	}
	if snap.Empty() {
		c.fail(fmt.Errorf("nothing to serve: there is no template below %s and no static file below %s", list(c.cfg.Library), list(c.cfg.Static)))
		return cli.ErrReported
	}
	if c.Lint.Documents() {
		return nil
	}
	fmt.Fprintln(c.Stdout, assemble.MemoryBounds(c.cfg))
	_, err := fmt.Fprintf(c.Stdout, "ok: %d templates, %d static files\n", len(snap.Templates()), snap.StaticFiles())
	return err
}

// checkFiles reads the files that the server reads at its start.
func (c *checker) checkFiles() (*assemble.Secrets, library.Config) {
	secrets, err := assemble.ReadSecrets(c.cfg, nil)
	if err != nil {
		c.fail(err)
	} else if c.Wrong == nil {
		c.warn(secrets.Warnings...)
	}
	warnings, err := admin.Check(assemble.AdminConfig(c.cfg))
	if err != nil {
		c.fail(err)
	}
	c.warn(warnings...)
	if c.Wrong == nil { // a key may be missing only because it could not be read
		c.warn(Unsafe(c.cfg)...)
	}
	if _, err := httpboot.TLS(c.cfg.HTTPCert, c.cfg.HTTPKey); err != nil {
		c.fail(err)
	}
	lib, err := assemble.Library(c.cfg)
	if err != nil {
		c.fail(err) // MIB names that the library does not know then are errors of their own
	}
	c.warn(lib.MIB.Warnings()...)
	lib.Parallel = 1 // the server's rights are those of one thread
	c.warn(UnseenChanges(c.cfg.Devices.Sources)...)
	return secrets, lib
}

// checkLibrary loads the library, and reports errors and warnings about templates and static files.
func (c *checker) checkLibrary(lib library.Config, secrets *assemble.Secrets) *library.Snapshot {
	snap, err := library.Load(lib, nil)
	if err != nil {
		c.fail(err)
	}
	if snap == nil {
		return nil
	}
	if !c.checkStatic(secrets, snap) {
		c.bad = cli.ErrReported
	}
	for _, w := range snap.Warnings {
		c.tellAt(lint.Warning, w)
	}
	c.lint(snap, lib)
	for _, n := range differences(snap) {
		c.tellAt(lint.Note, n)
	}
	return snap
}

// list joins directories for a message.
func list(dirs []string) string {
	if len(dirs) == 0 {
		return "(none configured)"
	}
	return strings.Join(dirs, ", ")
}
