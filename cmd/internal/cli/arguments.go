package cli

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

// Arguments accepts least to most arguments; a negative most is no limit. The error quotes the arguments from cmd.Use.
func Arguments(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		_, want, _ := strings.Cut(cmd.Use, " ")
		if most == 0 {
			if file := args[0]; cmd.Flags().Lookup("config") != nil && slices.Contains([]string{".yaml", ".yml"}, filepath.Ext(file)) {
				return Usagef("unexpected argument %q; did you mean --config %[1]s?", file)
			}
			return Usagef("unexpected argument %q: want none", args[0])
		}
		if len(args) < least {
			return Usagef("missing argument: want %s", want)
		}
		return Usagef("unexpected argument %q: want %s", args[most], want)
	}
}
