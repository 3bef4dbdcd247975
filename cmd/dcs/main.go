// Command dcs serves every cable modem its boot file over TFTP, rendered when it is requested.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/version"
)

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
)

func main() {
	os.Exit(run(cli.Env{
		Args: os.Args[1:], Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, StandardConfig: remote.StandardConfig,
	}))
}

// rootCommand returns the command dcs with all its verbs.
func rootCommand(e cli.Env) *cobra.Command {
	root := &cobra.Command{
		Use:   "dcs",
		Short: "Boot files for cable modems, rendered on request",
		Long: `dcs serves every modem its boot file over TFTP, rendered from a library of templates
at the moment it is requested.`,
		Version:       version.Get().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("dcs {{.Version}}\n")
	cli.Group(root, append(docsCommand(e),
		captureCommand(e),
		checkCommand(e),
		compileCommand(e),
		cvcCommand(e),
		decodeCommand(e),
		devicesCommand(e),
		explainCommand(e),
		getCommand(e),
		mibCommand(e),
		reloadCommand(e),
		secretCommand(e),
		serveCommand(e),
		stormCommand(e),
		topCommand(e),
		versionCommand(e),
	)...)
	cli.Complete(root)
	return root
}

// run executes a command line and returns the exit status.
func run(e cli.Env) int {
	command, started := "dcs", false // an error before a verb starts is misuse
	e.Command = func() string { return command }
	root := rootCommand(e)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { command, started = cmd.CommandPath(), true }
	root.SetArgs(append([]string{}, cli.JoinValues(root, e.Args)...)) // not nil, or cobra would use os.Args
	root.SetIn(e.Stdin)
	root.SetOut(e.Stdout)
	root.SetErr(e.Stderr)

	cmd, err := root.ExecuteC()
	var usage cli.UsageError
	switch {
	case err == nil:
		return done
	case !started || errors.As(err, &usage):
		fmt.Fprintf(e.Stderr, "%s: %v\nSee \"%[1]s --help\".\n", cmd.CommandPath(), err)
		return misuse
	case !errors.Is(err, cli.ErrReported):
		report(e, err)
	}
	return failed
}

// report writes the errors of a verb, each on a line of its own.
func report(e cli.Env, err error) {
	for _, err := range assemble.Flatten(err) {
		e.Report(err)
	}
}
