package main

import (
	"context"
	"errors"
	"fmt"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/rotate"
)

// secretJob is what the verbs about secrets have in common.
type secretJob struct {
	env
	cfg config.Config

	file, secrets, address string
	parallel, tries        int
	noServer               bool

	ring  *keyring.File
	fleet []cmts.CMTS
	saga  rotate.Saga
	left  []leftBehind // static files under secrets that go
	bar   *progress.Bar
}

// open reads configuration, keyring and fleet.
func (j *secretJob) open() error {
	j.cfg = config.Default()
	if j.file == "" && j.secrets == "" {
		var err error
		if j.file, err = installed(standardConfig); err != nil {
			return err
		}
	}
	if j.file != "" {
		if err := j.cfg.Load(j.file); err != nil {
			return err
		}
	}
	if j.secrets != "" {
		j.cfg.Secrets = j.secrets
	}
	if j.address != "" {
		j.cfg.Admin = []string{j.address}
	}
	switch {
	case j.cfg.Secrets == "" && j.file == "":
		return usagef("say --config FILE, or --secrets FILE")
	case j.cfg.Secrets == "":
		return fmt.Errorf("%s has no key secrets: a keyring says which CMTS holds which secret", j.file)
	case j.parallel < 1 || j.parallel > 1000:
		return usagef("--parallel %d: want 1 to 1000", j.parallel)
	case j.tries < 1 || j.tries > 100:
		return usagef("--tries %d: want 1 to 100", j.tries)
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
		Parallel: j.parallel, Tries: j.tries, Now: time.Now, Sleep: sleep, Report: j.show,
	}
	return nil
}

func (j *secretJob) journalPath() string { return j.cfg.Secrets + ".journal" }

func (j *secretJob) lockPath() string { return j.cfg.Secrets + ".lock" }

func (j *secretJob) driver(name string) (cmts.Driver, error) {
	for i := range j.fleet {
		if j.fleet[i].Name == name {
			return cmts.Open(j.fleet[i], j.ring.Options())
		}
	}
	return nil, errors.New("the fleet has no CMTS of this name any more")
}

// keyringStore is the keyring in its file.
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

// show is called while the saga runs.
func (j *secretJob) show(ev rotate.Event) {
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

// locked does f while nobody else can change the secrets, with progress on a terminal, until a signal.
func (j *secretJob) locked(doing string, f func(context.Context) error) error {
	lock, err := rotate.Acquire(j.lockPath(), doing, time.Now())
	if err != nil {
		return err
	}
	defer func() { _ = lock.Release() }()                      // it goes with the process in any case
	if j.ring, err = keyring.Load(j.cfg.Secrets); err != nil { // as it is now that it is ours
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	j.begin()
	defer func() { j.bar.Close() }()
	return f(ctx)
}

func (j *secretJob) begin() { j.bar = progress.New(j.stderr, "CMTSes", int64(len(j.fleet))) }

func fleetNames(fleet []cmts.CMTS) []string {
	all := make([]string, len(fleet))
	for i := range fleet {
		all[i] = fleet[i].Name
	}
	return all
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// tellAll shows an error line by line, and a word in the end.
func (j *secretJob) tellAll(err error, end string) error {
	j.bar.Close()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(j.stderr, line)
	}
	fmt.Fprintln(j.stderr, end)
	return errTold
}
