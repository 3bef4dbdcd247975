package main

import (
	"fmt"
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
	var devices, offline bool
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
		_, warnings := ownDirs(file, &cfg)
		for _, w := range warnings {
			fmt.Fprintf(e.stderr, "warning: %s\n", w)
		}
		for _, wrong := range checkUser(file, &cfg) {
			tell(e, wrong)
			err = errTold
		}
		return check(e, &cfg, devices, offline, err)
	}
	return cmd
}

// check looks at what a configuration points to. bad is what was wrong with itself.
func check(e env, cfg *config.Config, devices, offline bool, bad error) error {
	fail := func(err error) {
		tell(e, err)
		bad = errTold
	}
	secrets, err := readSecrets(cfg, nil)
	if err != nil {
		fail(err)
	} else if secrets.warning != "" {
		fmt.Fprintf(e.stderr, "warning: %s\n", secrets.warning)
	}
	warnings, err := admin.Check(adminConfig(cfg))
	if err != nil {
		fail(err)
	}
	for _, w := range append(warnings, unsafeSettings(cfg)...) {
		fmt.Fprintf(e.stderr, "warning: %s\n", w)
	}
	if _, err := httpboot.TLS(cfg.HTTPCert, cfg.HTTPKey); err != nil {
		fail(err)
	}
	for _, a := range absentAddresses(cfg) {
		fmt.Fprintf(e.stderr, "warning: %s\n", a)
	}
	lib, err := libraryConfig(cfg)
	if err != nil {
		fail(err) // what the library says by names of these modules are errors of their own
	}
	for _, w := range unseenChanges(cfg.Devices.Sources) {
		fmt.Fprintf(e.stderr, "warning: %s\n", w)
	}
	if len(cfg.Devices.Sources) > 0 {
		if offline {
			lib.Schema, err = savedAttributes(e, &cfg.Devices)
		} else {
			lib.Schema, err = checkDevices(e, &cfg.Devices, devices)
		}
		if err != nil {
			fail(err)
		}
		if lib.Schema == nil || bad != nil && lib.Schema.Len() == 0 {
			// Static files can be checked without attributes.
			alone := lib
			alone.Dirs = nil
			if snap, err := library.Load(alone, nil); err == nil && !checkStatic(e, cfg, secrets, snap) {
				bad = errTold
			}
		}
		if offline && lib.Schema == nil && bad == nil {
			_, err := fmt.Fprintln(e.stdout, "ok: the library was not checked")
			return err
		}
		if bad != nil && lib.Schema.Len() == 0 {
			return errTold // as above
		}
	}
	snap, err := library.Load(lib, nil)
	if err != nil {
		fail(err)
	}
	if snap != nil {
		if !checkStatic(e, cfg, secrets, snap) {
			bad = errTold
		}
		for _, w := range snap.Warnings {
			fmt.Fprintf(e.stderr, "%s: warning: %s\n", w.Pos, w.Msg)
		}
		for _, w := range oddities(snap) {
			fmt.Fprintf(e.stderr, "%s: warning: %s\n", w.Pos, w.Msg)
		}
		for _, n := range differences(snap) {
			fmt.Fprintf(e.stderr, "%s: note: %s\n", n.Pos, n.Msg)
		}
	}
	if bad != nil {
		return errTold
	}
	if snap.Empty() {
		fail(fmt.Errorf("nothing to serve: there is no template below %s and no static file below %s", list(cfg.Library), list(cfg.Static)))
		return errTold
	}
	fmt.Fprintln(e.stdout, memoryBounds(cfg))
	_, err = fmt.Fprintf(e.stdout, "ok: %d templates, %d static files\n", len(snap.Templates()), snap.StaticFiles())
	return err
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
