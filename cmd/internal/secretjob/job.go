// Package secretjob implements the verbs of dcs secret: status, rotate, resume and rollback.
package secretjob

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/remote"
	"dcs/cmd/internal/rotate"
)

// Options are common to the verbs.
type Options struct {
	File     string // of the configuration; "": the installed one
	Secrets  string // the keyring's file; "": the configuration's
	Address  string // of the running server; "": the configuration's
	Parallel int    // CMTSes at a time
	Tries    int    // attempts at a step
	NoServer bool   // notify no server of new secrets
	Env      cli.Env
}

// Job is the execution of one verb.
type Job struct {
	Options
	cfg config.Config

	ring  *keyring.File
	fleet []cmts.CMTS
	saga  rotate.Saga
	left  []leftBehind // static files signed with secrets that the rotation removes
	bar   *progress.Bar
}

// Open reads configuration, keyring and fleet.
func Open(o Options) (*Job, error) {
	j := &Job{Options: o, cfg: config.Default()}
	return j, j.open()
}

func (j *Job) open() error {
	if j.File == "" && j.Secrets == "" {
		var err error
		if j.File, err = remote.Installed(j.Env.StandardConfig); err != nil {
			return err
		}
	}
	if j.File != "" {
		if err := j.cfg.Load(j.File); err != nil {
			return err
		}
	}
	if j.Secrets != "" {
		j.cfg.Secrets = j.Secrets
	}
	if j.Address != "" {
		j.cfg.Admin = []string{j.Address}
	}
	switch {
	case j.cfg.Secrets == "" && j.File == "":
		return cli.Usagef("no keyring: want --config FILE or --secrets FILE")
	case j.cfg.Secrets == "":
		return fmt.Errorf("%s: key secrets is not set; it names the keyring", j.File)
	case j.Parallel < 1 || j.Parallel > 1000:
		return cli.Usagef("--parallel %d: want 1 to 1000", j.Parallel)
	case j.Tries < 1 || j.Tries > 100:
		return cli.Usagef("--tries %d: want 1 to 100", j.Tries)
	}
	var err error
	if j.ring, err = keyring.Load(j.cfg.Secrets); err != nil {
		return err
	}
	if j.fleet, err = j.ring.LoadFleet(); err != nil {
		return err
	}
	server, err := j.server()
	if err != nil {
		return err
	}
	j.saga = rotate.Saga{
		Store: keyringStore(j.cfg.Secrets), Server: server, Open: j.driver,
		Parallel: j.Parallel, Tries: j.Tries, Now: time.Now, Sleep: sleep, Report: j.show,
	}
	return nil
}

func (j *Job) journalPath() string { return j.cfg.Secrets + ".journal" }

func (j *Job) lockPath() string { return j.cfg.Secrets + ".lock" }

func (j *Job) driver(name string) (cmts.Driver, error) {
	for i := range j.fleet {
		if j.fleet[i].Name == name {
			return cmts.Open(j.fleet[i], j.ring.Options())
		}
	}
	return nil, errors.New("no such CMTS in the fleet any more; restore its entry")
}

// keyringStore is the path of the keyring.
type keyringStore string

func (k keyringStore) Load() (*keyring.File, error) { return keyring.Load(string(k)) }

func (k keyringStore) Save(file *keyring.File) error { return file.Save() }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// show shows an event of the rotation.
func (j *Job) show(ev rotate.Event) {
	text := ev.Phase
	if ev.CMTS != "" {
		text = fmt.Sprintf("%s: %d of %d CMTSes, %s", ev.Phase, ev.Done, ev.Total, ev.CMTS)
	}
	if ev.Text != "" {
		text += " (" + ev.Text + ")"
	}
	if ev.Err != nil {
		j.bar.Print(fmt.Sprintf("%s: %v", ev.Phase, firstLine(ev.Err)))
	}
	j.bar.Line(text)
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

// locked calls f with the lock on the keyring held, and shows progress. A signal ends f's context.
func (j *Job) locked(ctx context.Context, doing string, f func(context.Context) error) error {
	lock, err := rotate.Acquire(j.lockPath(), doing, time.Now())
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()                      // it ends with the process in any case
	if j.ring, err = keyring.Load(j.cfg.Secrets); err != nil { // another process may have changed it before
		return err
	}
	ctx, stop := interruptible(ctx)
	defer stop()
	j.begin()
	defer func() { j.bar.Close() }()
	return f(ctx)
}

func (j *Job) begin() { j.bar = progress.New(j.Env.Stderr, "CMTSes", int64(len(j.fleet))) }

func fleetNames(fleet []cmts.CMTS) []string {
	all := make([]string, len(fleet))
	for i := range fleet {
		all[i] = fleet[i].Name
	}
	return all
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// fail prints an error and how the verb ended.
func (j *Job) fail(err error, end string) error {
	j.bar.Close()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(j.Env.Stderr, line)
	}
	fmt.Fprintln(j.Env.Stderr, end)
	return cli.ErrReported
}
