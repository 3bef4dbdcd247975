package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// Group makes cmd a command that only groups verbs. Without a verb it fails with a list of them, with an unknown verb it suggests
// similar ones. Both errors are a [UsageError].
func Group(cmd *cobra.Command, verbs ...*cobra.Command) *cobra.Command {
	cmd.AddCommand(verbs...)
	cmd.SuggestionsMinimumDistance = 2
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		return unknownVerb(cmd, args[0])
	}
	cmd.RunE = func(*cobra.Command, []string) error {
		return Usagef("missing verb: want %s", enumerate(verbNames(cmd)))
	}
	// The flags of a misspelled verb are unknown too; the error should be about the verb.
	cmd.SetFlagErrorFunc(func(at *cobra.Command, err error) error {
		if at == cmd && at.Flags().NArg() > 0 {
			return unknownVerb(cmd, at.Flags().Arg(0))
		}
		var unknown *pflag.NotExistError
		if errors.As(err, &unknown) {
			if alike := similarFlags(at, unknown.GetSpecifiedName()); len(alike) > 0 {
				return Usagef("%w; did you mean %s?", err, enumerate(alike))
			}
		}
		return err
	})
	return cmd
}

func unknownVerb(cmd *cobra.Command, verb string) error {
	if alike := cmd.SuggestionsFor(verb); len(alike) > 0 {
		return Usagef("unknown verb %q; did you mean %s?", verb, enumerate(alike))
	}
	return Usagef("unknown verb %q: want %s", verb, enumerate(verbNames(cmd)))
}

// similarFlags returns the flags of a verb that are spelled like name, by cobra's rule for verbs.
func similarFlags(cmd *cobra.Command, name string) []string {
	known := &cobra.Command{SuggestionsMinimumDistance: 2}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		known.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
	})
	alike := known.SuggestionsFor(name)
	for i, flag := range alike {
		alike[i] = "--" + flag
	}
	return alike
}

// verbNames returns the verbs that are listed in help.
func verbNames(cmd *cobra.Command) []string {
	var names []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	return names
}

// enumerate joins names as in "a, b or c".
func enumerate(names []string) string {
	last := len(names) - 1
	if last <= 0 {
		return strings.Join(names, "")
	}
	return fmt.Sprintf("%s or %s", strings.Join(names[:last], ", "), names[last])
}
