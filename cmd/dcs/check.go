package main

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/check"
	"dcs/cmd/internal/cli"
)

func checkCommand(e cli.Env) *cobra.Command {
	var devices, offline, noHost bool
	var remapFile string
	cmd := &cobra.Command{
		Use:   "check",
		Short: "Report everything wrong with a configuration and its library",
		Long: `Report everything that is wrong with a configuration, its library and its static
directories, without serving them. For files that no template makes (those of static
directories, and of Binary items without resign) the MICs are verified with the secrets
that the server would sign with. Warnings and notes do not fail the check; a note marks
where a file in the open docsis encoder's language compiles to other bytes than there.

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
		Example: `  dcs check --config /etc/dcs/dcs.yaml
  dcs check --config /etc/dcs/dcs.yaml --offline
  dcs check --remap /etc/tftpd.remap`,
		Args: cli.Arguments(0, 0),
	}
	cmd.Flags().BoolVar(&devices, "devices", false, "load all devices; report rows that are not devices, and losses that the server would hold back")
	cmd.Flags().BoolVar(&offline, "offline", false, "open no device source, and wait for none")
	cmd.Flags().BoolVar(&noHost, "no-host", false, "skip what depends on this host: interfaces, addresses, ports, the server's user")
	cmd.Flags().StringVar(&remapFile, "remap", "", "convert this map `file` of tftpd-hpa to the key rewrite")
	settings := addSettings(cmd, e, whatToServe...)
	cmd.RunE = func(*cobra.Command, []string) error {
		if remapFile != "" {
			return remap(e, remapFile)
		}
		if devices && offline {
			return cli.Usagef("--devices loads the sources and --offline opens none; give only one of them")
		}
		cfg, err := settings.load()
		if unread := new(fs.PathError); err != nil && (settings.file == "" || errors.As(err, &unread)) {
			return err
		}
		if err != nil {
			fmt.Fprintln(e.Stderr, err)
		}
		return check.Run(&cfg, check.Options{
			File: settings.file, Wrong: err != nil, Devices: devices, Offline: offline, NoHost: noHost, Stdout: e.Stdout, Stderr: e.Stderr,
		})
	}
	return cmd
}
