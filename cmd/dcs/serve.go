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
	"dcs/cmd/internal/server"
	"dcs/render/library"
)

func serveCommand(e cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve a library of boot files over TFTP",
		Long: `Serve a library of boot files over TFTP. The configuration file is optional if flags say
what to serve; a flag overrides the key of the same name.

SIGHUP reloads the library, static files, secrets, limits (allow, rate), the keys bind,
mac_in_name, root and rewrite, and the keys of the log. Library and static files are also
reloaded when they change. If something is wrong with them, the last good version stays in
service. Other keys need a restart; the log names those that have changed.
SIGTERM and SIGINT let running transfers finish.`,
		Example: `  dcs serve --config /etc/dcs/dcs.yaml
  dcs serve --listen 127.0.0.1:6969 --library ./library`,
		Args: cli.Arguments(0, 0),
	}
	settings := addSettings(cmd, e)
	cmd.RunE = func(*cobra.Command, []string) error {
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		stops, hangups := make(chan os.Signal, 1), make(chan os.Signal, 1)
		signal.Notify(stops, syscall.SIGTERM, syscall.SIGINT)
		signal.Notify(hangups, syscall.SIGHUP)
		defer signal.Stop(stops)
		defer signal.Stop(hangups)
		o := server.Options{File: settings.file, Config: cfg, Reread: settings.load, Lower: true, Log: e.Stderr}
		if cli.IsTerminal(e.Stderr) {
			o.Serving = func(addr netip.AddrPort, lib *library.Snapshot) { greet(e.Stderr, addr, lib) }
		}
		return server.Run(o, stops, hangups)
	}
	return cmd
}

// greet prints how to fetch one of the library's files.
func greet(w io.Writer, addr netip.AddrPort, lib *library.Snapshot) {
	for _, tmpl := range lib.Templates() {
		if len(tmpl.Names) > 0 {
			fmt.Fprintf(w, "\nFetch from another terminal, and stop with Ctrl-C:\n\n    %s get %s %s --decode\n\n", os.Args[0], addr, fileName(tmpl))
			return
		}
	}
}
