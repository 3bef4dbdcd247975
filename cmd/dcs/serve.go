package main

import (
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/server"
	"dcs/render/library"
)

func serveCommand(e cli.Env) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a library of boot files over TFTP",
		Long: `Serve a library of boot files over TFTP. The configuration file is optional where
flags say what there is to serve; a flag goes before the file's key of that name.

SIGHUP reads the library, the static files, the secrets, the limits (allow, rate),
the keys bind, mac_in_name, root and rewrite and the log's keys anew, and so does a change of the
library or the static files; as long as something is wrong with them, the last good
ones are served. Other keys wait for a restart, and the log says which have changed.
SIGTERM and SIGINT let running transfers come to their end.`,
		Example: `  dcs serve --config /etc/dcs/dcs.yaml
  dcs serve --listen 127.0.0.1:6969 --library ./library`,
		Args: cobra.NoArgs,
	}
	cmd.Flags().StringVarP(&file, "config", "c", "", "the configuration `file`")
	flags := config.AddFlags(cmd.Flags())
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := flags.Config(file)
		if err != nil {
			if file == "" {
				return cli.UsageError{Err: err}
			}
			return err
		}
		stops, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(stops)
		defer signal.Stop(hangups)
		reread := func() (config.Config, error) { return flags.Config(file) }
		o := server.Options{File: file, Config: cfg, Reread: reread, Log: e.Stderr}
		if cli.IsTerminal(e.Stderr) {
			o.Serving = func(addr netip.AddrPort, lib *library.Snapshot) { greet(e.Stderr, addr, lib) }
		}
		return server.Run(o, stops, hangups)
	}
	return cmd
}

// greet tells a human how to fetch.
func greet(w io.Writer, addr netip.AddrPort, lib *library.Snapshot) {
	for _, tmpl := range lib.Templates() {
		if len(tmpl.Names) > 0 {
			fmt.Fprintf(w, "\nFetch from another terminal, and stop with Ctrl-C:\n\n    dcs get %s %s --decode\n\n", addr, fileName(tmpl))
			return
		}
	}
}
