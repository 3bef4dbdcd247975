// Command dcs gives every cable modem its boot file over TFTP, rendered at the moment it is asked for.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/version"
)

// env is what a verb sees of the process that it runs in.
type env struct {
	args           []string
	stdin          io.Reader
	stdout, stderr io.Writer
}

// Exit statuses.
const (
	done   = 0
	failed = 1
	misuse = 2
)

// errTold ends a verb whose errors are on stderr already.
var errTold = errors.New("errors were told")

// usageError is a mistake in the command line that cobra cannot see.
type usageError struct{ error }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	os.Exit(run(env{os.Args[1:], os.Stdin, os.Stdout, os.Stderr}))
}

// run carries out a command line and returns the exit status.
func run(e env) int {
	root := &cobra.Command{
		Use:   "dcs",
		Short: "Boot files for cable modems, rendered when they are asked for",
		Long: `dcs gives every modem its boot file over TFTP, rendered at the moment it is
asked for, from a library of templates.`,
		Version:       version.Get().String(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return usagef("a verb is missing: serve, capture, compile, decode, check, devices, explain, get, secret, storm, top or version")
		},
	}
	root.SetVersionTemplate("dcs {{.Version}}\n")
	started := false // whatever is wrong before a verb starts is misuse
	root.PersistentPreRun = func(*cobra.Command, []string) { started = true }
	root.AddCommand(
		captureCommand(e),
		checkCommand(e),
		compileCommand(e),
		decodeCommand(e),
		devicesCommand(e),
		explainCommand(e),
		getCommand(e),
		reloadCommand(e),
		secretCommand(e),
		serveCommand(e),
		stormCommand(e),
		topCommand(e),
		versionCommand(e),
	)
	root.AddCommand(docsCommand(e)...)
	root.SetArgs(append([]string{}, e.args...)) // not nil: cobra would take the process's
	root.SetIn(e.stdin)
	root.SetOut(e.stdout)
	root.SetErr(e.stderr)

	cmd, err := root.ExecuteC()
	var usage usageError
	switch {
	case err == nil:
		return done
	case !started || errors.As(err, &usage):
		fmt.Fprintf(e.stderr, "%s: %v\nSee \"%[1]s --help\".\n", cmd.CommandPath(), err)
		return misuse
	case !errors.Is(err, errTold):
		fmt.Fprintf(e.stderr, "%s: %v\n", cmd.CommandPath(), err)
	}
	return failed
}
