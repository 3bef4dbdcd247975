package main

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/httpboot"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

func checkCommand(e env) *cobra.Command {
	var file string
	var devices, offline, noHost bool
	var remapFile string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Tell all that is wrong with a configuration and its library",
		Long: `Tell all that is wrong with a configuration, its library and its static
directories, without serving them. Of files that no template makes, which are
those of static directories and of Binary items without resign, the MICs are
verified under the secrets that the server would sign with. Warnings and notes do not fail the check; a note
tells where a file in the open docsis encoder's language gives other bytes here than there.

The sources of devices are opened, to learn their attributes; one that is down fails the check.
With --offline none is: the attributes are those of the server's snapshot, and where that
does not know them yet the library is left out.

What the server asks of this host is tried as its start does, and undone: the interfaces
and the transport, the addresses and ports, and the files, as the user that the server
runs as: that of the key user; for root, that of the unit dcs.service if it uses this
configuration; else the one who checks. Ports that a running server of this configuration
has count as free. With --no-host, for a server on another machine, none of this is checked.

With --remap nothing of that is looked at: the map file of a tftpd-hpa (option -m of in.tftpd) is
read, and the key rewrite is printed that does the same. The exit status is 1 if there is a
line for which no rule can be had.`,
		Example: `  dcs check --config /etc/dcs/dcs.yaml
  dcs check --config /etc/dcs/dcs.yaml --offline
  dcs check --remap /etc/tftpd.remap`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the configuration `file`")
	cmd.Flags().BoolVar(&devices, "devices", false, "load all devices, and tell which rows are none, and what the server would hold back")
	cmd.Flags().BoolVar(&offline, "offline", false, "open no source of devices, and wait for none")
	cmd.Flags().BoolVar(&noHost, "no-host", false, "leave out what is up to this host: interfaces, addresses, ports and the server's user")
	cmd.Flags().StringVar(&remapFile, "remap", "", "print the key rewrite that does what this map `file` of tftpd-hpa does")
	flags := config.AddFlags(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		if remapFile != "" {
			return remap(e, remapFile)
		}
		if devices && offline {
			return usagef("--devices loads the sources, and --offline opens none: say one of them")
		}
		cfg, err := flags.Config(file)
		if err != nil {
			if file == "" {
				return usageError{err}
			}
			tell(e, err)
		}
		c := &checker{env: e, file: file, cfg: &cfg, devices: devices, offline: offline, bad: err, told: map[string]bool{}}
		_, warnings := ownDirs(file, &cfg)
		c.warn(warnings...)
		if noHost {
			return c.run()
		}
		if c.runner, err = runnerOf(file, &cfg, unitDirs); err != nil {
			c.fail(err)
		}
		c.checkHost()
		c.asRunner(c.checkReads)
		return c.run()
	}
	return cmd
}

// checker looks at what a configuration points to.
type checker struct {
	env
	file             string // of the configuration; "": there is none
	cfg              *config.Config
	devices, offline bool
	runner           runner
	told             map[string]bool // files that may not be read, by path
	bad              error           // something is wrong, and was told
}

// fail tells what is wrong; of a file that may not be read once.
func (c *checker) fail(err error) {
	c.bad = errTold
	if !errors.Is(err, fs.ErrPermission) {
		tell(c.env, err)
		return
	}
	for _, err := range flatten(err) {
		var at *fs.PathError
		if errors.Is(err, fs.ErrPermission) && errors.As(err, &at) {
			if c.told[at.Path] {
				continue
			}
			c.told[at.Path] = true
			if c.runner.cred != nil {
				err = fmt.Errorf("user %s: %w; change its owner, group or mode", c.runner.name, err)
			}
		}
		tell(c.env, err)
	}
}

func (c *checker) warn(lines ...string) {
	for _, line := range lines {
		fmt.Fprintf(c.stderr, "warning: %s\n", line)
	}
}

// asRunner calls f as the user that the server runs as.
func (c *checker) asRunner(f func()) {
	if err := c.runner.as(f); err != nil {
		c.fail(err)
	}
}

func (c *checker) run() error {
	var secrets *secrets
	var lib library.Config
	c.asRunner(func() { secrets, lib = c.checkFiles() })
	if len(c.cfg.Devices.Sources) > 0 {
		var err error
		if c.offline {
			lib.Schema, err = savedAttributes(c.env, &c.cfg.Devices)
		} else {
			lib.Schema, err = checkDevices(c.env, &c.cfg.Devices, c.devices)
		}
		if err != nil {
			c.fail(err)
		}
		if lib.Schema == nil || c.bad != nil && lib.Schema.Len() == 0 {
			// Static files can be checked without attributes.
			alone := lib
			alone.Dirs = nil
			c.asRunner(func() {
				if snap, err := library.Load(alone, nil); err == nil && !checkStatic(c.env, c.cfg, secrets, snap) {
					c.bad = errTold
				}
			})
		}
		if c.offline && lib.Schema == nil && c.bad == nil {
			_, err := fmt.Fprintln(c.stdout, "ok: the library was not checked")
			return err
		}
		if c.bad != nil && lib.Schema.Len() == 0 {
			return errTold // as above
		}
	}
	var snap *library.Snapshot
	c.asRunner(func() { snap = c.checkLibrary(lib, secrets) })
	if c.bad != nil {
		return errTold
	}
	if snap.Empty() {
		c.fail(fmt.Errorf("nothing to serve: there is no template below %s and no static file below %s", list(c.cfg.Library), list(c.cfg.Static)))
		return errTold
	}
	fmt.Fprintln(c.stdout, memoryBounds(c.cfg))
	_, err := fmt.Fprintf(c.stdout, "ok: %d templates, %d static files\n", len(snap.Templates()), snap.StaticFiles())
	return err
}

// checkFiles reads what the server reads before it opens anything.
func (c *checker) checkFiles() (*secrets, library.Config) {
	secrets, err := readSecrets(c.cfg, nil)
	if err != nil {
		c.fail(err)
	} else if secrets.warning != "" {
		c.warn(secrets.warning)
	}
	warnings, err := admin.Check(adminConfig(c.cfg))
	if err != nil {
		c.fail(err)
	}
	c.warn(append(warnings, unsafeSettings(c.cfg)...)...)
	if _, err := httpboot.TLS(c.cfg.HTTPCert, c.cfg.HTTPKey); err != nil {
		c.fail(err)
	}
	lib, err := libraryConfig(c.cfg)
	if err != nil {
		c.fail(err) // what the library says by names of these modules are errors of their own
	}
	c.warn(unseenChanges(c.cfg.Devices.Sources)...)
	return secrets, lib
}

// checkLibrary loads the library, and tells of it and the static files.
func (c *checker) checkLibrary(lib library.Config, secrets *secrets) *library.Snapshot {
	snap, err := library.Load(lib, nil)
	if err != nil {
		c.fail(err)
	}
	if snap == nil {
		return nil
	}
	if !checkStatic(c.env, c.cfg, secrets, snap) {
		c.bad = errTold
	}
	for _, w := range snap.Warnings {
		fmt.Fprintf(c.stderr, "%s: warning: %s\n", w.Pos, w.Msg)
	}
	for _, w := range oddities(snap) {
		fmt.Fprintf(c.stderr, "%s: warning: %s\n", w.Pos, w.Msg)
	}
	for _, n := range differences(snap) {
		fmt.Fprintf(c.stderr, "%s: note: %s\n", n.Pos, n.Msg)
	}
	return snap
}

// list writes directories for a message.
func list(dirs []string) string {
	if len(dirs) == 0 {
		return "(none configured)"
	}
	return strings.Join(dirs, ", ")
}

// oddities tells what is unusual about files that are the same for everybody.
func oddities(snap *library.Snapshot) syntax.Errors {
	var all syntax.Errors
	secret := mic.NewSecret(nil)
	for _, t := range snap.Templates() {
		if len(t.Names) == 0 || t.Kind == skeleton.PlainFile {
			continue
		}
		name := []byte(t.Names[0])
		skel, fault := snap.Skeleton(snap.Find(library.Hash(name), name), nil, false)
		if fault != nil || !skel.Static() {
			continue
		}
		tree, err := tlv.DecodeAs(skel.Dialect(), skel.File(secret))
		if err != nil {
			all.Addf(t.Pos(), "the file that it makes cannot be read: %v", err)
			continue
		}
		for _, w := range tlv.Check(tree) {
			all.Addf(t.Pos(), "%s", w.Text)
		}
	}
	return all
}

// differences tells where files in the open encoder's language give other octets than
// that encoder gives. (What it accepts and we refuse is among the errors.)
func differences(snap *library.Snapshot) syntax.Errors {
	var notes syntax.Errors
	var statements func([]syntax.Stmt)
	var value func(syntax.Expr)
	value = func(x syntax.Expr) {
		switch x := x.(type) {
		case *syntax.String:
			if text, ok := x.Literal(); ok && strings.Contains(text, `\`) {
				notes.Addf(x.Pos, "the open encoder turns the backslash in this string into a space; here it stays")
			}
		case *syntax.List:
			for _, v := range x.Elems {
				value(v)
			}
		}
	}
	statements = func(body []syntax.Stmt) {
		for _, st := range body {
			if st, ok := st.(*syntax.Setting); ok {
				for _, v := range st.Values {
					value(v)
				}
				statements(st.Body)
			}
		}
	}
	for _, t := range snap.Templates() {
		if syntax.DialectOf(t.Pos().File) == syntax.Docsis {
			statements(t.Item.Body)
		}
	}
	return notes
}
