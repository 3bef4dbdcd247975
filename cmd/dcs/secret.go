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
		Short: "Show shared secrets; replace them on CMTSes and server",
		Long: `Show the shared secrets in the keyring that the configuration's key "secrets" names, and
replace them: on every CMTS of its fleet, and in the running server.

A CMTS with two slots gets the new secret beside the old one. Then the server switches,
files signed with the old secret get time to be used, and the old secret is removed:
modems register throughout. A CMTS with one slot rejects its modems from the moment the
old secret is removed until the new one is set; the report at the end says how long.

Each step is written to a journal beside the keyring before it is done. After a crash, or
when a CMTS could not be reached, "resume" continues and "rollback" restores the old state.`,
	}
	return cli.Group(cmd, secretStatusCommand(e), secretRotateCommand(e), secretResumeCommand(e, false), secretResumeCommand(e, true))
}

func secretFlags(cmd *cobra.Command, j *secretjob.Options) {
	f := cmd.Flags()
	f.StringVarP(&j.File, "config", "c", "", "the server's configuration `file` (default: "+remote.StandardConfig+", if it exists)")
	f.StringVar(&j.Secrets, "secrets", "", "the keyring's `file` (default: from the configuration)")
	f.StringVar(&j.Address, "admin", "", "the running server's admin `address` (default: from the configuration)")
	f.IntVar(&j.Parallel, "parallel", 8, "work on `N` CMTSes at a time")
	f.IntVar(&j.Tries, "tries", 3, "try a step `N` times before giving up on its CMTS")
}

func noServerFlag(cmd *cobra.Command, j *secretjob.Options) {
	cmd.Flags().BoolVar(&j.NoServer, "no-server", false, "notify no server: restart it before the old secrets are removed")
}

func secretRotateCommand(e cli.Env) *cobra.Command {
	o := secretjob.Options{Env: e}
	var chosen []string
	var r secretjob.Rotation
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Replace shared secrets",
		Long: `Replace the shared secrets of all CMTSes, or of those named, by new ones. The plan is
shown and confirmed before anything is changed. Each secret gets a random successor of 32
letters and digits, or as many as the most limited CMTS accepts; a secret that you give is
used for all.

Files in static directories keep their MICs: the plan, and "status", count those that are
signed with a secret that is being removed. The configuration says where they are.

If a step fails before the server has switched, everything is restored; if a CMTS cannot
be reached, the rotation stops and waits for "resume" or "rollback".`,
		Example: `  dcs secret rotate --dry-run
  dcs secret rotate --config /etc/dcs/dcs.yaml --cmts hub-1,hub-2`,
		Args: cli.Arguments(0, 0),
	}
	secretFlags(cmd, &o)
	noServerFlag(cmd, &o)
	f := cmd.Flags()
	f.StringSliceVar(&chosen, "cmts", nil, "the `names` of CMTSes (default: the whole fleet)")
	f.StringVar(&r.SecretFile, "secret-file", "", "take the new secret from this `file`, or - for standard input")
	f.DurationVar(&r.Drain, "drain", 2*time.Minute, "the `time` for files signed with the old secret to be used")
	f.BoolVar(&r.DryRun, "dry-run", false, "show the plan and stop")
	f.BoolVarP(&r.Yes, "yes", "y", false, "do not ask for confirmation")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDrain(r.Drain); err != nil {
			return err
		}
		if !r.DryRun && !r.Yes && !readsTerminal(e.Stdin) {
			return cli.Usagef("standard input is not a terminal, so nobody can confirm; give --yes or --dry-run")
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
		Short: "Continue a rotation that was stopped",
		Long: `Continue a rotation that was stopped: by a crash, a signal, or a CMTS that could not be
reached. Steps that may have been done are repeated. A rotation that was being rolled back
continues to roll back.`,
		Args: cli.Arguments(0, 0),
	}
	if back {
		cmd.Use, cmd.Short = "rollback", "Undo a rotation that has not ended"
		cmd.Long = `Undo a rotation that has not ended: the old secrets are set beside the new ones again
where they were removed, the server switches back, and the new secrets are removed.`
	}
	r := secretjob.Resumption{Back: back}
	secretFlags(cmd, &o)
	noServerFlag(cmd, &o)
	f := cmd.Flags()
	f.DurationVar(&r.Drain, "drain", 0, "the `time` for files signed with the old secret to be used (default: that of the plan)")
	f.BoolVar(&r.DryRun, "dry-run", false, "show where the rotation stands and stop")
	f.BoolP("yes", "y", false, "accepted as for rotate; no confirmation is asked")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkDrain(r.Drain); err != nil {
			return err
		}
		if !f.Changed("drain") {
			r.Drain = -1
		}
		j, err := secretjob.Open(o)
		if err != nil {
			return err
		}
		return j.Resume(cmd.Context(), r)
	}
	return cmd
}

func secretStatusCommand(e cli.Env) *cobra.Command {
	o := secretjob.Options{Env: e}
	verify := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show which secrets there are, and who holds them",
		Long: `Show which secrets there are, who holds them, which of them the running server signs with,
and how far a rotation has come. Nothing is changed, and no secret is shown. With --verify
every CMTS is asked what it holds.`,
		Args: cli.Arguments(0, 0),
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

func checkDrain(d time.Duration) error {
	if d < 0 || d > 24*time.Hour {
		return cli.Usagef("--drain %v: want 0s to 24h", d)
	}
	return nil
}

func readsTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && cli.IsTerminal(f)
}
