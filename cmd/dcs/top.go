package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/top"
)

func topCommand(e cli.Env) *cobra.Command {
	var (
		server   remote.Access
		once     bool
		interval time.Duration
	)
	cmd := &cobra.Command{
		Use:   "top [ADDRESS]",
		Short: "Show what a running server does",
		Long: `Show what a running server does: requests by result, latencies, workers, device sources,
and the latest failures. On a terminal the screen is updated until q is pressed; the last
line shows the other keys. Otherwise the state is printed once.

ADDRESS is an address of the server's key admin: host:port, unix:/path, or a URL. Without
it, address, token and certificates come from the configuration; a Unix socket is
preferred. Without a configuration, unix:/run/dcs/admin.sock and 127.0.0.1:8069 are tried.

Rates and latencies are those of the last interval.`,
		Example: `  dcs top
  dcs top --config dcs.yaml
  dcs top unix:/run/dcs/admin.sock --once`,
		Args: cli.Arguments(0, 1),
	}
	server.Flags(cmd, e.StandardConfig)
	f := cmd.Flags()
	f.BoolVar(&once, "once", false, "print the state after one interval as text, and exit")
	f.DurationVar(&interval, "interval", time.Second, "`time` between updates, 100ms to 1m")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		if interval < 100*time.Millisecond || interval > time.Minute {
			return cli.Usagef("--interval %v: out of range; 100ms to 1m", interval)
		}
		if len(args) > 0 {
			server.Address = args[0]
		}
		client, address, err := server.Dial()
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT)
		defer stop()
		defer client.Close()
		t := &top.Top{Address: address, Client: client, Interval: interval}
		if screen, ok := e.Stdout.(*os.File); !once && ok && term.IsTerminal(int(screen.Fd())) {
			return t.Live(ctx)
		}
		return t.Once(ctx, e.Stdout)
	}
	return cmd
}
