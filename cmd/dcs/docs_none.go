//go:build !docs

package main

import (
	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
)

func docsCommand(cli.Env) []*cobra.Command { return nil }
