package main

import (
	"errors"
	"io/fs"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/check"
	"dcs/cmd/internal/cli"
)

func checkCommand(e cli.Env) *cobra.Command {
	var devices, offline, noHost bool
	var remapFile string
	var judge lintFlags
	cmd := &cobra.Command{
		Use:   "check [FILE…]",
		Short: "Report everything wrong with a configuration and its library, or with single files",
		Long: `Report everything that is wrong with a configuration, its library and its static
directories, without serving them. For files that no template makes (those of static
directories, and of Binary items without resign) the MICs are verified with the secrets
that the server would sign with. A note marks where a file in the open docsis encoder's
language compiles to other bytes than there.

With FILE only these files are judged, without a configuration: boot files, and sources
with what they include; - is standard input. CMTS MICs are verified with --secret-file.

Files are judged by rules about what a CMTS or a modem refuses or misreads; --rules lists
them. Errors fail the check, with --strict warnings too. A comment "dcs:allow RULE, RULE" in
the line of a statement, or alone in the line above, silences these rules there; the key
lint_allow silences rules in all files.

Device sources are opened, to learn their attributes; one that is down fails the check.
With --offline none is opened: the attributes are those of the server's snapshot, and if
it does not have them all yet the library is not checked.

What a start needs from this host is tried and released: the interfaces and the transport,
the addresses and ports, and the files, as the server's user: that of the key user; for
root, that of the unit dcs.service if it uses this configuration; else the current user.
Ports held by a running server with this configuration count as free. With --no-host, for
a server on another machine, all of this is skipped.

With --remap only the map file of a tftpd-hpa (option -m of in.tftpd) is read, and the
equivalent key rewrite is printed. The exit status is 1 if a line has no equivalent.`,
		Example: `  dcs check gold.cfg silver.cm --secret-file secret --docsis 3.1
  dcs check --config /etc/dcs/dcs.yaml
  dcs check --config /etc/dcs/dcs.yaml --offline
  dcs check --remap /etc/tftpd.remap`,
		Args: cli.Arguments(0, -1),
	}
	cmd.Flags().BoolVar(&devices, "devices", false, "load all devices; report rows that are not devices, and losses that the server would hold back; judge files by what they have")
	cmd.Flags().BoolVar(&offline, "offline", false, "open no device source, and wait for none")
	cmd.Flags().BoolVar(&noHost, "no-host", false, "skip what depends on this host: interfaces, addresses, ports, the server's user")
	cmd.Flags().StringVar(&remapFile, "remap", "", "convert this map `file` of tftpd-hpa to the key rewrite")
	judge.add(cmd.Flags())
	settings := addSettings(cmd, e, slices.Concat(whatToServe, []string{"lint_allow", "service_classes"})...)
	cmd.RunE = func(_ *cobra.Command, files []string) error {
		if err := judge.read(); err != nil {
			return err
		}
		switch {
		case remapFile != "":
			return remap(e, remapFile)
		case judge.rules:
			return judge.Table(e.Stdout)
		case slices.ContainsFunc(files, isYAML):
			name := files[slices.IndexFunc(files, isYAML)]
			return cli.Usagef("unexpected argument %q; did you mean --config %s?", name, name)
		case len(files) > 0 && (settings.file != "" || settings.flags.Changed("library", "static") || devices || offline):
			return cli.Usagef("FILE is judged without a configuration; give either files, or --config, --library or --static")
		case len(files) > 0:
			cfg, err := settings.flags.Alone()
			if err != nil {
				return err
			}
			return judge.files(e, files, &cfg)
		}
		if devices && offline {
			return cli.Usagef("--devices loads the sources and --offline opens none; give only one of them")
		}
		cfg, err := settings.load()
		if unread := new(fs.PathError); err != nil && (settings.file == "" || errors.As(err, &unread)) {
			if settings.file != "" {
				err = judge.Refused(settings.file, err, e.Stdout)
			}
			return err
		}
		return check.Run(&cfg, check.Options{
			File: settings.file, Wrong: err, Devices: devices, Offline: offline, NoHost: noHost, Lint: judge.Lint, Stdout: e.Stdout, Stderr: e.Stderr,
		})
	}
	return cmd
}

// isYAML reports whether a file is a configuration by its name.
func isYAML(name string) bool {
	return strings.HasSuffix(name, ".yaml") || strings.HasSuffix(name, ".yml")
}
