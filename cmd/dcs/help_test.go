package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dcs/cmd/internal/cli"
)

// verbs calls visit for each verb that does something, with the words that call it.
func verbs(visit func(words []string, cmd *cobra.Command)) {
	var walk func(cmd *cobra.Command, words []string)
	walk = func(cmd *cobra.Command, words []string) {
		if !cmd.HasSubCommands() {
			visit(words, cmd)
		}
		for _, c := range cmd.Commands() {
			walk(c, append(slices.Clone(words), c.Name()))
		}
	}
	walk(rootCommand(cli.Env{}), nil)
}

// parsed parses a command line as run does, and returns its verb and the arguments that are no flags.
func parsed(args ...string) (*cobra.Command, []string, error) {
	root := rootCommand(cli.Env{Args: args})
	cmd, rest, err := root.Find(cli.JoinValues(root, args))
	if err == nil {
		err = cmd.ParseFlags(rest)
	}
	return cmd, cmd.Flags().Args(), err
}

var (
	// Values in the usage of a flag: "such as 2 or 0.5", "(default 4s,8s,16s)".
	suchAs   = regexp.MustCompile(`such as (\S*[0-9/:]\S*)(?: or (\S*[0-9]\S*))?`)
	defaults = regexp.MustCompile(`\(default ([^ )]+)\)`)
)

// valuesOf returns the values that the usage of a flag names.
func valuesOf(f *pflag.Flag) []string {
	word, usage := pflag.UnquoteUsage(f)
	var values []string
	if strings.Contains(word, "|") {
		values = strings.Split(word, "|")
	}
	for _, m := range slices.Concat(suchAs.FindAllStringSubmatch(usage, -1), defaults.FindAllStringSubmatch(usage, -1)) {
		for _, v := range m[1:] {
			if v = strings.TrimRight(v, ",:;)"); v != "" {
				values = append(values, v)
			}
		}
	}
	return values
}

// Each value that the help of a flag names is taken, in both spellings.
func TestFlagValues(t *testing.T) {
	tried := 0
	verbs(func(words []string, cmd *cobra.Command) {
		for _, f := range flagsOf(cmd) {
			for _, v := range valuesOf(f) {
				for _, spelling := range [][]string{{"--" + f.Name, v}, {"--" + f.Name + "=" + v}} {
					tried++
					line := slices.Concat(words, spelling)
					got, args, err := parsed(line...)
					if err != nil || len(args) > 0 || !got.Flags().Changed(f.Name) {
						t.Errorf("dcs %s: %v, arguments %q", strings.Join(line, " "), err, args)
					}
				}
			}
		}
	})
	if tried < 100 {
		t.Errorf("only %d values were tried", tried)
	}
}

var quoted = regexp.MustCompile(`(?:'[^']*'|[^ '])+`)

// The examples in the help of each verb parse.
func TestHelpExamples(t *testing.T) {
	tried := 0
	verbs(func(words []string, cmd *cobra.Command) {
		for line := range strings.Lines(cmd.Example) {
			for command := range strings.SplitSeq(line, "|") {
				var args []string
				for _, word := range quoted.FindAllString(strings.TrimSpace(command), -1) {
					args = append(args, strings.ReplaceAll(word, "'", ""))
				}
				if len(args) == 0 || args[0] != "dcs" {
					continue
				}
				tried++
				got, rest, err := parsed(args[1:]...)
				if err == nil && got.Args != nil {
					err = got.Args(got, rest)
				}
				if err != nil {
					t.Errorf("%s: %v", strings.TrimSpace(command), err)
				}
			}
		}
	})
	if tried < 20 {
		t.Errorf("only %d examples were tried", tried)
	}
	if cmd, args, err := parsed("storm", "127.0.0.1", "--check", "off"); err != nil || !slices.Equal(args, []string{"127.0.0.1"}) || cmd.Flag("check").Value.String() != "off" {
		t.Errorf("storm --check off: %q, %v", args, err)
	}
}
