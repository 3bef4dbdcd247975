package main

import (
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/version"
)

//go:generate go run ./packaging/notices . packaging/NOTICES

func versionCommand(e cli.Env) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			if asJSON {
				enc := json.NewEncoder(e.Stdout)
				enc.SetIndent("", "  ")
				return enc.Encode(version.Get())
			}
			_, err := fmt.Fprintf(e.Stdout, "dcs %v\n", version.Get())
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print version, commit, Go's version, operating system and architecture as JSON")
	return cmd
}
