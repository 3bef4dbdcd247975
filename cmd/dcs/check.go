package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/check"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
)

func checkCommand(e cli.Env) *cobra.Command {
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
			return cli.Usagef("--devices loads the sources, and --offline opens none: say one of them")
		}
		cfg, err := flags.Config(file)
		if err != nil {
			if file == "" {
				return cli.UsageError{Err: err}
			}
			fmt.Fprintln(e.Stderr, err)
		}
		return check.Run(&cfg, check.Options{
			File: file, Wrong: err != nil, Devices: devices, Offline: offline, NoHost: noHost, Stdout: e.Stdout, Stderr: e.Stderr,
		})
	}
	return cmd
}
