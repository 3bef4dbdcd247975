package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/secretjob"
)

func secretCommand(e cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Show the shared secrets, and replace them on CMTSes and server",
		Long: `Show the shared secrets of the keyring that the configuration's key "secrets" names,
and replace them: on every CMTS of its fleet, and in the running server.

A CMTS with two slots gets the new secret next to the old one; then the server
switches, files under the old secret get time to be used, and the old secret goes:
modems register all the while. A CMTS with one slot rejects its modems from the moment
that its old secret goes until it has the new one; how long that was is told at the end.

Each step is in a journal beside the keyring before it is done. After a crash, or when a
CMTS could not be reached, "resume" goes on and "rollback" brings all back.`,
		Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			return cli.Usagef("a verb is missing: status, rotate, resume or rollback")
		},
	}
	cmd.AddCommand(secretStatusCommand(e), secretRotateCommand(e), secretResumeCommand(e, false), secretResumeCommand(e, true))
	return cmd
}

func secretFlags(cmd *cobra.Command, j *secretjob.Options) {
	f := cmd.Flags()
	f.StringVarP(&j.File, "config", "c", "", "the server's configuration `file` (default: "+remote.StandardConfig+", if it is there)")
	f.StringVar(&j.Secrets, "secrets", "", "the keyring's `file` (default: as the configuration says)")
	f.StringVar(&j.Address, "admin", "", "the running server's admin `address` (default: as the configuration says)")
	f.IntVar(&j.Parallel, "parallel", 8, "work on `N` CMTSes at a time")
	f.IntVar(&j.Tries, "tries", 3, "try a step `N` times before its CMTS is given up")
}

func noServerFlag(cmd *cobra.Command, j *secretjob.Options) {
	cmd.Flags().BoolVar(&j.NoServer, "no-server", false, "tell no server: it must be restarted before the old secrets go")
}

func secretRotateCommand(e cli.Env) *cobra.Command {
	o := secretjob.Options{Env: e}
	var chosen []string
	var r secretjob.Rotation
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace shared secrets by new ones",
		Long: `Replace the shared secrets of all CMTSes, or of those that are named, by new ones. The plan
is shown, and confirmed, before anything is changed. Each secret gets a successor that is
made by chance, of 32 letters and digits or as many as the weakest CMTS takes; one that
you give is for all.

Files below static directories keep the MICs that they have: the plan tells how many
are signed under a secret that goes, and so does "status". The configuration says where
they are.

If a step fails before the server has switched, all is brought back as it was; where a
CMTS cannot be reached, the rotation stops and waits for "resume" or "rollback".`,
		Example: `  dcs secret rotate --dry-run
  dcs secret rotate --config /etc/dcs/dcs.yaml --cmts hub-1,hub-2`,
		Args: cobra.NoArgs,
	}
	secretFlags(cmd, &o)
	noServerFlag(cmd, &o)
	f := cmd.Flags()
	f.StringSliceVar(&chosen, "cmts", nil, "the `names` of CMTSes (default: the whole fleet)")
	f.StringVar(&r.SecretFile, "secret-file", "", "take the new secret from this `file`, or - for standard input")
	f.DurationVar(&r.Drain, "drain", 2*time.Minute, "the `time` that files under the old secret have to be used")
	f.BoolVar(&r.DryRun, "dry-run", false, "show the plan and stop")
	f.BoolVarP(&r.Yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if r.Drain < 0 || r.Drain > 24*time.Hour {
			return cli.Usagef("--drain %v: want 0s to 24h", r.Drain)
		}
		if !r.DryRun && !r.Yes && !readsTerminal(e.Stdin) {
			return cli.Usagef("nobody can be asked, as standard input is no terminal: say --yes, or --dry-run")
		}
		if cmd.Flags().Changed("cmts") {
			r.CMTS = append([]string{}, chosen...)
		}
		j, err := secretjob.Open(o)
		if err != nil {
			return err
		}
		return j.Rotate(cmd.Context(), r)
	}
	return cmd
}

func secretResumeCommand(e cli.Env, back bool) *cobra.Command {
	o := secretjob.Options{Env: e}
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Go on with a rotation that was stopped",
		Long: `Go on with a rotation that was stopped: by a crash, a signal, or a CMTS that could not be
reached. Steps that may have been done or not are done again. A rotation that was turned
round goes on back.`,
		Args: cobra.NoArgs,
	}
	if back {
		cmd.Use, cmd.Short = "rollback", "Bring all back that a rotation has changed"
		cmd.Long = `Bring all back that a rotation which has not come to its end has changed: the old secrets
go next to the new ones again where they are gone, the server switches back, the new
secrets go.`
	}
	secretFlags(cmd, &o)
	noServerFlag(cmd, &o)
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		j, err := secretjob.Open(o)
		if err != nil {
			return err
		}
		return j.Resume(cmd.Context(), back)
	}
	return cmd
}

func secretStatusCommand(e cli.Env) *cobra.Command {
	o := secretjob.Options{Env: e}
	verify := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell which secrets there are, and who holds them",
		Long: `Tell which secrets there are, who holds them, which of them the running server signs with,
and how far a rotation has come. It changes nothing, and shows no secret. With --verify
every CMTS is asked what it holds.`,
		Args: cobra.NoArgs,
	}
	secretFlags(cmd, &o)
	cmd.Flags().BoolVar(&verify, "verify", false, "ask every CMTS what it holds")
	cmd.RunE = func(*cobra.Command, []string) error {
		j, err := secretjob.Open(o)
		if err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return j.Status(ctx, verify)
	}
	return cmd
}

func readsTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && cli.IsTerminal(f)
}
