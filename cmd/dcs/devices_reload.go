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

func devicesReloadCommand(e cli.Env) *cobra.Command {
	var (
		server remote.Access
		force  bool
	)
	cmd := &cobra.Command{
		Use:   "reload [SOURCE]",
		Short: "Reload the device sources of a running server",
		Long: `Reload one device source of a running server, or all of them. SOURCE is its name, as shown
by the log, dcs top and the admin page, which also show the outcome.

A source that loses more than a fifth of its devices, or of an attribute's values, within
a day is held back: a partial answer or a renamed column is more likely than such a loss.
If the loss is real, --force makes the server accept what the source supplies now, however
little; an empty source leaves no devices.`,
		Example: `  dcs devices reload
  dcs devices reload --force 'csv /etc/dcs/devices.csv'`,
		Args: cli.Arguments(0, 1),
	}
	server.Flags(cmd, e.StandardConfig)
	cmd.Flags().StringVar(&server.Address, "admin", "", "the running server's admin `address` (default: from the configuration)")
	cmd.Flags().BoolVar(&force, "force", false, "accept the losses of the sources")
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		in := console.DevicesReload{Force: force}
		if len(args) > 0 {
			in.Source = args[0]
		}
		client, address, err := server.Dial()
		if err != nil {
			return err
		}
		defer client.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		var sources []console.Source
		if err := client.Post(ctx, adminapi.DevicesReloadPath, in, &sources); err != nil {
			return fmt.Errorf("%s: %w", address, err)
		}
		for _, src := range sources {
			if in.Source != "" && src.Name != in.Source {
				continue
			}
			if _, err := fmt.Fprintf(e.Stdout, "%s: reload requested; it has %d devices\n", src.Name, src.Devices); err != nil {
				return err
			}
		}
		return nil
	}
	return cmd
}
