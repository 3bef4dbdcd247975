package cli

import (
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CompleteFlags gives every flag of cmd, and of the verbs below it, that has no completion of its own the one that its usage
// implies: alternatives such as `text|json` are offered, a `file` or `files` is left to the shell, and anything else, such as
// a number, has none.
func CompleteFlags(cmd *cobra.Command) {
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if _, ok := cmd.GetFlagCompletionFunc(f.Name); ok || f.Value.Type() == "bool" {
			return
		}
		_ = cmd.RegisterFlagCompletionFunc(f.Name, completion(f)) // fails for a flag that does not exist or has one
	})
	for _, verb := range cmd.Commands() {
		CompleteFlags(verb)
	}
}

func completion(f *pflag.Flag) cobra.CompletionFunc {
	word, _ := pflag.UnquoteUsage(f)
	switch {
	case strings.Contains(word, "|"):
		return cobra.FixedCompletions(strings.Split(word, "|"), cobra.ShellCompDirectiveNoFileComp)
	case strings.HasSuffix(word, "file"), strings.HasSuffix(word, "files"):
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveDefault)
	case strings.HasPrefix(word, "director"):
		return cobra.FixedCompletions(nil, cobra.ShellCompDirectiveFilterDirs)
	}
	return cobra.NoFileCompletions
}
