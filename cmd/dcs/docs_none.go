//go:build !docs

package main

import "github.com/spf13/cobra"

func docsCommand(env) []*cobra.Command { return nil }
