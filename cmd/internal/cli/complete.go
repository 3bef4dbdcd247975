package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Complete adds completions, derived from the usage, for all flags and arguments of cmd and its verbs that have none: alternatives
// such as `text|json` are offered, files and directories are left to the shell, and anything else, such as a number, is not
// completed.
func Complete(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := cmd.GetFlagCompletionFunc(f.Name); ok || f.Value.Type() == "bool" {
			return
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, completion(f)) // fails for a flag that does not exist or has one
	})
	if _, usage, _ := strings.Cut(cmd.Use, " "); cmd.ValidArgsFunction == nil && !cmd.HasSubCommands() && !strings.Contains(usage, "FILE") {
		cmd.ValidArgsFunction = cobra.NoFileCompletions
	}
	for _, verb := range cmd.Commands() {
		Complete(verb)
	}
}

func completion(f *pflag.Flag) cobra.CompletionFunc {
	if values := alternatives(f); len(values) > 0 {
		return cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	}
	word, _ := pflag.UnquoteUsage(f)
	switch {
	case strings.HasSuffix(word, "file"), strings.HasPrefix(word, "path"), strings.HasPrefix(word, "director"):
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	}
	return cobra.NoFileCompletions
}
