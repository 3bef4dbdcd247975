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

// reloadWait is how long a library may take to load; ten thousand templates take a second.
const reloadWait = 5 * time.Minute

func reloadCommand(e cli.Env) *cobra.Command {
	var (
		server remote.Access
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "Have a running server load its library anew",
		Long: `Have a running server load its library and its static files anew, and wait until it
has. It does so by itself when they change.

A library is held back that has become empty, or one of whose directories has, or that has
lost more than half of its names within an hour: a directory that is not mounted looks so, or one
that is being copied. A name is lost, too, if only a pattern answers it that was there before.
Where the names are really gone, --force has the server accept what there is now.`,
		Example: `  dcs reload
  dcs reload --force`,
		Args: cobra.NoArgs,
	}
	server.Flags(cmd)
	cmd.Flags().StringVar(&server.Address, "admin", "", "the running server's admin `address` (default: as the configuration says)")
	cmd.Flags().BoolVar(&force, "force", false, "accept however many names the library has lost")
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
