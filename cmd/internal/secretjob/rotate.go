package secretjob

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/rotate"
	"dcs/render/secret"
)

// readSecret reads a new secret from a private file, or from standard input.
func readSecret(e cli.Env, name string) (secret.Text, error) {
	read := secret.Read
	if name == cli.Stdio {
		read = func(name string, limit int) ([]byte, error) { return cli.ReadSource(e, name, limit) }
	}
	b, err := read(name, secret.MaxSize)
	if err != nil {
		return secret.Text{}, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return secret.Text{}, fmt.Errorf("%s: empty secret", name)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return secret.Text{}, fmt.Errorf("%s: a secret must be one line of printable ASCII characters", name)
	}
	if why := secret.Oddity(text); why != "" {
		return secret.Text{}, fmt.Errorf("%s: the secret %s; delete that, CMTSes do not keep it", name, why)
	}
	return secret.New(text), nil
}

// Rotation says which secrets to replace, and how.
type Rotation struct {
	CMTS       []string // nil: the whole fleet
	SecretFile string   // with the new secret, - for standard input; "": random secrets
	Drain      time.Duration
	DryRun     bool // show the plan and stop
	Yes        bool // do not ask
}

// Rotate plans a rotation, has it confirmed, and carries it out.
func (j *Job) Rotate(ctx context.Context, r Rotation) error {
	req := rotate.Request{By: rotate.CurrentUser(), Drain: r.Drain, CMTS: r.CMTS}
	if r.SecretFile != "" {
		var err error
		if req.Given, err = readSecret(j.Env, r.SecretFile); err != nil {
			return err
		}
	}
	return j.locked(ctx, "rotating", func(ctx context.Context) error { return j.rotate(ctx, req, r.DryRun, r.Yes) })
}

func (j *Job) rotate(ctx context.Context, req rotate.Request, dryRun, yes bool) error {
	state, err := rotate.ReadJournal(j.journalPath())
	if err != nil {
		return err
	}
	if state != nil && state.Ended == "" {
		return fmt.Errorf("the rotation begun by %s at %s has not ended; use dcs secret resume or dcs secret rollback", state.Plan.By, clock(state.Begun))
	}
	server, err := j.askServer(ctx)
	if err != nil {
		return err
	}
	sv, obstacles := j.saga.Survey(ctx, j.ring, fleetNames(j.fleet), req)
	if sv == nil {
		return j.fail(obstacles, "nothing was changed")
	}
	staticErr := j.findLeft(&sv.Plan)
	j.bar.Close()
	if err := j.showPlan(sv, server, staticErr); err != nil {
		return err
	}
	if obstacles != nil {
		return j.fail(obstacles, fmt.Sprintf("%d of %d CMTSes cannot take part: nothing was changed", len(sv.Failed), len(sv.Plan.CMTS)))
	}
	if dryRun {
		_, err := fmt.Fprintln(j.Env.Stdout, "Nothing was changed.")
		return err
	}
	if !yes && !ask(ctx, j.Env, "Rotate?") {
		fmt.Fprintln(j.Env.Stderr, "nothing was changed")
		return cli.ErrReported
	}
	j.begin()
	out, err := rotate.CreateJournal(j.journalPath())
	if err != nil {
		return err
	}
	defer out.Close()
	if j.saga.Journal, err = rotate.Begin(out, sv.Plan, time.Now); err != nil {
		return err
	}
	return j.finish(ctx, j.saga.Begin(ctx, sv.New))
}

// ask asks a question, and reports whether the answer is y or yes. An interrupt counts as no.
func ask(ctx context.Context, e cli.Env, question string) bool {
	fmt.Fprintf(e.Stdout, "%s [y/N] ", question)
	answer := make(chan string, 1)
	go func() {
		line, _ := bufio.NewReader(e.Stdin).ReadString('\n')
		answer <- strings.ToLower(strings.TrimSpace(line))
	}()
	select {
	case line := <-answer:
		return ctx.Err() == nil && (line == "y" || line == "yes")
	case <-ctx.Done():
		fmt.Fprintln(e.Stdout)
		return false
	}
}

// findLeft finds the static files that are signed with secrets that a rotation removes. The error says why they are unknown.
func (j *Job) findLeft(p *rotate.Plan) (err error) {
	old := map[string]bool{}
	for _, c := range p.CMTS {
		old[c.Old] = true
	}
	if p.NewDefault != p.OldDefault {
		old[p.OldDefault] = true
	}
	j.left, err = j.signedWith(old)
	return err
}

// showLeft prints the static files that are signed with secrets that a rotation removes.
func (j *Job) showLeft(w io.Writer) {
	for i := range j.left {
		fmt.Fprintf(w, "Static    %v\n", &j.left[i])
	}
}

// showPlan prints the plan of a rotation.
func (j *Job) showPlan(sv *rotate.Survey, server string, staticErr error) error {
	b := &bytes.Buffer{}
	p := &sv.Plan
	type pair struct{ old, new string }
	double, single := map[pair]int{}, map[pair][]string{}
	pairs := map[pair]bool{}
	failed := map[pair]int{}
	for _, c := range p.CMTS {
		k := pair{c.Old, c.New}
		pairs[k] = true
		switch {
		case sv.Failed[c.Name] != nil:
			failed[k]++
		case c.Slots > 1:
			double[k]++
		default:
			single[k] = append(single[k], c.Name)
		}
	}
	fmt.Fprintf(b, "Keyring   %s, generation %d\nServer    %s\n", j.cfg.Secrets, j.ring.Generation, server)
	var windows []string
	for _, k := range slices.SortedFunc(maps.Keys(pairs), func(a, b pair) int { return strings.Compare(a.old, b.old) }) {
		fmt.Fprintf(b, "Secret    %s is followed by %s: %d CMTSes with two slots, %d with one", k.old, k.new, double[k], len(single[k]))
		if failed[k] > 0 {
			fmt.Fprintf(b, ", %d that cannot take part", failed[k])
		}
		if k.old == p.OldDefault && p.NewDefault != p.OldDefault {
			b.WriteString(", and the default")
		}
		b.WriteByte('\n')
		windows = append(windows, single[k]...)
	}
	fmt.Fprintf(b, "Drain     %v between the switch and the end of the old secrets\n", p.Drain)
	if len(windows) > 0 {
		fmt.Fprintf(b, "Windows   these have one slot and reject modems while they change: %s\n", strings.Join(windows, ", "))
	}
	for _, c := range p.CMTS {
		if err := sv.Failed[c.Name]; err != nil {
			fmt.Fprintf(b, "FAILED    %s\n", firstLine(err))
		}
	}
	b.WriteString("Drivers   tested against simulated CMTSes only, never against a real one; rotate one first (--cmts NAME)\n")
	j.showLeft(b)
	if staticErr != nil {
		fmt.Fprintf(b, "Static    unknown: %v\n", firstLine(staticErr))
	}
	for _, note := range sv.Notes {
		fmt.Fprintf(b, "Note      %s: %s\n", some(note.CMTS), note.Text)
	}
	_, err := j.Env.Stdout.Write(b.Bytes())
	return err
}

// some lists a few names, and the number of the others.
func some(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// finish prints which CMTS holds which secrets, and the error of the rotation.
func (j *Job) finish(ctx context.Context, failure error) error {
	j.bar.Close()
	state := j.saga.Journal.State()
	ring, err := keyring.Load(j.cfg.Secrets)
	if err != nil {
		return errors.Join(failure, err)
	}
	if err := showHolders(j.Env.Stdout, state, ring); err != nil {
		return errors.Join(failure, err)
	}
	switch {
	case state.Ended == "":
		end := "not ended; dcs secret resume continues, dcs secret rollback restores the old secrets"
		if ctx.Err() != nil {
			end = "stopped; " + end
		}
		if failure == nil {
			failure = errors.New("rotation not ended")
		}
		return j.fail(failure, end)
	case failure != nil:
		return j.fail(failure, "the old secrets remain")
	}
	word := "Rotated"
	if state.RollingBack {
		word = "Rolled back"
	} else {
		j.showLeft(j.Env.Stdout)
	}
	_, err = fmt.Fprintf(j.Env.Stdout, "%s: %d CMTSes, generation %d, %v.\n", word, len(state.Plan.CMTS), ring.Generation, state.EndedAt.Sub(state.Begun).Round(time.Millisecond))
	return err
}

// Resumption says how to continue a rotation that has not ended.
type Resumption struct {
	Back   bool          // roll back instead
	Drain  time.Duration // negative: the plan's
	DryRun bool          // show the state of the rotation and stop
}

// showResumption prints the state that a resumption would begin with.
func (j *Job) showResumption(r Resumption) error {
	state, err := rotate.ReadJournal(j.journalPath())
	if err != nil {
		return err
	}
	b := &bytes.Buffer{}
	if state == nil || state.Ended != "" {
		b.WriteString("No rotation is under way.\n")
	} else {
		drain, towards := state.Plan.Drain, "new"
		if r.Drain >= 0 {
			drain = r.Drain
		}
		if r.Back || state.RollingBack {
			towards = "old"
		}
		fmt.Fprintf(b, "Rotation  begun by %s at %s; it ends with the %s secrets alone\nDrain     %v\n\n", state.Plan.By, clock(state.Begun), towards, drain)
		if err := showHolders(b, state, j.ring); err != nil {
			return err
		}
		b.WriteString("\nNothing was changed.\n")
	}
	_, err = j.Env.Stdout.Write(b.Bytes())
	return err
}

// Resume continues a rotation that was stopped, or rolls it back.
func (j *Job) Resume(ctx context.Context, r Resumption) error {
	doing := "resuming a rotation"
	if r.Back {
		doing = "rolling a rotation back"
	}
	return j.locked(ctx, doing, func(ctx context.Context) error { return j.resume(ctx, r) })
}

func (j *Job) resume(ctx context.Context, r Resumption) error {
	if r.DryRun {
		return j.showResumption(r)
	}
	out, state, err := rotate.OpenJournal(j.journalPath())
	if errors.Is(err, fs.ErrNotExist) {
		state, err = nil, nil
	}
	if err != nil {
		return err
	}
	if out != nil {
		defer out.Close()
	}
	if state == nil || state.Ended != "" {
		if r.Back && state != nil {
			return errors.New("the last rotation has ended; rotate again, with --secret-file, to restore an old secret")
		}
		_, err := fmt.Fprintln(j.Env.Stdout, "No rotation is under way.")
		return err
	}
	if _, err := j.askServer(ctx); err != nil {
		return err
	}
	if err := j.findLeft(&state.Plan); err != nil {
		fmt.Fprintf(progress.Above(j.Env.Stderr), "static files unknown: %s\n", firstLine(err))
	}
	if r.Drain >= 0 {
		state.Plan.Drain = r.Drain
	}
	j.saga.Journal = rotate.Continue(out, state, time.Now)
	if r.Back {
		return j.finish(ctx, j.saga.RollBack(ctx, "by "+rotate.CurrentUser()))
	}
	return j.finish(ctx, j.saga.Run(ctx))
}
