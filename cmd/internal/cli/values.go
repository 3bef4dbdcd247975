package cli

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// JoinValues returns a command line in which flags whose value may be omitted have it in the same argument: --timestamp=off for
// --timestamp off, which pflag takes for a flag without a value and an argument. Only what the usage names as a value is joined.
func JoinValues(root *cobra.Command, args []string) []string {
	cmd, _, err := root.Find(args)
	if err != nil {
		return args
	}
	var joined []string
	for i := 0; i < len(args); i++ {
		if args[i] == "--" {
			return append(joined, args[i:]...)
		}
		arg := args[i]
		if name, ok := strings.CutPrefix(arg, "--"); ok && i+1 < len(args) {
			if f := cmd.Flags().Lookup(name); f != nil && f.NoOptDefVal != "" && slices.Contains(alternatives(f), args[i+1]) {
				i++
				arg += "=" + args[i]
			}
		}
		joined = append(joined, arg)
	}
	return joined
}

// alternatives returns the values that the usage of a flag names, as in `text|json`; nil if it names none.
func alternatives(f *pflag.Flag) []string {
	word, _ := pflag.UnquoteUsage(f)
	if !strings.Contains(word, "|") {
		return nil
	}
	return strings.Split(word, "|")
}
