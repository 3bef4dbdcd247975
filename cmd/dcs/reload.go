package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/admin/console"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/remote"
)

// reloadWait limits the time for loading a library; ten thousand templates take a second.
const reloadWait = 5 * time.Minute

func reloadCommand(e cli.Env) *cobra.Command {
	var (
		server remote.Access
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Reload the library of a running server",
		Long: `Reload the library and static files of a running server, and wait for the result. The
server reloads them by itself when they change.

A library is held back if it or one of its directories has become empty, or if it has lost
more than half of its names within an hour: an unmounted or half-copied directory looks
like that. A name is also lost if only a pattern answers it that existed before. If the
loss is real, --force makes the server accept the library as it is now.`,
		Example: `  dcs reload
  dcs reload --force`,
		Args: cli.Arguments(0, 0),
	}
	server.Flags(cmd, e.StandardConfig)
	cmd.Flags().StringVar(&server.Address, "admin", "", "the running server's admin `address` (default: from the configuration)")
	cmd.Flags().BoolVar(&force, "force", false, "accept the loss of names")
	cmd.RunE = func(*cobra.Command, []string) error {
		client, address, err := server.Dial()
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), reloadWait)
		defer cancel()
		var lib console.Library
		if err := client.Post(ctx, adminapi.ReloadPath, console.LibraryReload{Force: force}, &lib); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		_, err = fmt.Fprintf(e.Stdout, "loaded: %d templates, %d static files\n", len(lib.Templates), lib.Static)
		return err
	}
	return cmd
}
