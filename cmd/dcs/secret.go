package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/admin"
	adminclient "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/listen"
	"dcs/cmd/internal/progress"
	"dcs/cmd/internal/rotate"
	"dcs/render/private"
)

func secretCommand(e env) *cobra.Command {
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
			return usagef("a verb is missing: status, rotate, resume or rollback")
		},
	}
	cmd.AddCommand(secretStatusCommand(e), secretRotateCommand(e), secretResumeCommand(e, false), secretResumeCommand(e, true))
	return cmd
}

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

func (j *secretJob) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVarP(&j.file, "config", "c", "", "the server's configuration `file` (default: "+standardConfig+", if it is there)")
	f.StringVar(&j.secrets, "secrets", "", "the keyring's `file` (default: as the configuration says)")
	f.StringVar(&j.address, "admin", "", "the running server's admin `address` (default: as the configuration says)")
	f.IntVar(&j.parallel, "parallel", 8, "work on `N` CMTSes at a time")
	f.IntVar(&j.tries, "tries", 3, "try a step `N` times before its CMTS is given up")
}

func (j *secretJob) changing(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&j.noServer, "no-server", false, "tell no server: it must be restarted before the old secrets go")
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
func (j *secretJob) lockPath() string    { return j.cfg.Secrets + ".lock" }

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

func (k keyringStore) Load() (*keyring.File, error)  { return keyring.Load(string(k)) }
func (k keyringStore) Save(file *keyring.File) error { return file.Save() }

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// signingServer is the running server, behind its admin address.
type signingServer struct {
	*adminclient.Client
	where string
}

// callTime is how long a server may take to read its keyring.
const callTime = 20 * time.Second

func (s *signingServer) Reload(ctx context.Context) (uint64, error) {
	return s.call(ctx, http.MethodPost, secretsReloadPath)
}

func (s *signingServer) call(ctx context.Context, method, path string) (uint64, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var state secretsState
	err := s.Call(ctx, method, path, nil, &state)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, fs.ErrNotExist) {
		return 0, fmt.Errorf("%w at %s", rotate.ErrNoServer, s.where)
	}
	return state.Generation, err
}

// takesChanges returns an error if the server would refuse to be told of new secrets, which is to be known before any CMTS has them.
func (s *signingServer) takesChanges(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	var who admin.Identity
	var refused *adminclient.Error
	err := s.Get(ctx, admin.WhoAmI, &who)
	switch {
	case errors.As(err, &refused) && refused.Status == http.StatusNotFound: // an older server, which takes changes from whom it answers
		return nil
	case err != nil:
		return err
	case !who.Changes:
		return admin.ErrNoChanges
	}
	return nil
}

// nobody is no server.
type nobody struct{}

func (nobody) Reload(context.Context) (uint64, error) { return 0, rotate.ErrNoServer }

func (j *secretJob) server() (rotate.Server, error) {
	if j.noServer || len(j.cfg.Admin) == 0 {
		return nobody{}, nil
	}
	address := reachable(j.cfg.Admin)
	c, err := dialAdmin(&j.cfg, address)
	if err != nil {
		return nil, err
	}
	return &signingServer{c, address}, nil
}

// askServer tells which server there is to switch. The error says that there may be one that cannot be told.
func (j *secretJob) askServer(ctx context.Context) (string, error) {
	if j.noServer {
		return "none is told: start it anew before the old secrets go", nil
	}
	s, ok := j.saga.Server.(*signingServer)
	if !ok {
		return "", errors.New("no admin address is configured, so a running server could not be told: set admin, or say --no-server if none runs")
	}
	generation, err := s.call(ctx, http.MethodGet, secretsPath)
	switch {
	case err == nil:
		if err := s.takesChanges(ctx); err != nil {
			return "", fmt.Errorf("the server at %s: %w", s.where, err)
		}
		return fmt.Sprintf("%s, serves generation %d of its keyring", s.where, generation), nil
	case !errors.Is(err, rotate.ErrNoServer):
		return "", fmt.Errorf("the server at %s: %w", s.where, err)
	}
	for _, at := range j.cfg.Listen {
		// As the server does, which may listen on an address that no interface has.
		ask := func() (net.PacketConn, error) {
			return (&net.ListenConfig{Control: listen.Freebind}).ListenPacket(ctx, "udp", at.String())
		}
		c, err := ask()
		for try := 1; errors.Is(err, syscall.EADDRINUSE) && try < 3*takeTries; try++ {
			time.Sleep(takeWait) // a check has it for less
			c, err = ask()
		}
		if errors.Is(err, syscall.EADDRINUSE) {
			return "", fmt.Errorf("somebody serves %v, and nobody answers at the admin address %s: a server that cannot be told would go on signing with old secrets; say --no-server if it is none of ours", at, s.where)
		}
		if err == nil {
			c.Close()
		}
	}
	return "none runs at " + s.where + ": the keyring is changed for its next start", nil
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

func secretRotateCommand(e env) *cobra.Command {
	j := &secretJob{env: e}
	var (
		chosen      []string
		secretFile  string
		drain       time.Duration
		dryRun, yes bool
	)
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
	j.flags(cmd)
	j.changing(cmd)
	f := cmd.Flags()
	f.StringSliceVar(&chosen, "cmts", nil, "the `names` of CMTSes (default: the whole fleet)")
	f.StringVar(&secretFile, "secret-file", "", "take the new secret from this `file`, or - for standard input")
	f.DurationVar(&drain, "drain", 2*time.Minute, "the `time` that files under the old secret have to be used")
	f.BoolVar(&dryRun, "dry-run", false, "show the plan and stop")
	f.BoolVarP(&yes, "yes", "y", false, "do not ask")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if drain < 0 || drain > 24*time.Hour {
			return usagef("--drain %v: want 0s to 24h", drain)
		}
		if !dryRun && !yes && !readsTerminal(e.stdin) {
			return usagef("nobody can be asked, as standard input is no terminal: say --yes, or --dry-run")
		}
		if err := j.open(); err != nil {
			return err
		}
		wish := rotate.Wish{By: rotate.WhoAmI(), Drain: drain}
		if cmd.Flags().Changed("cmts") {
			wish.CMTS = append([]string{}, chosen...)
		}
		if secretFile != "" {
			var err error
			if wish.Given, err = newSecret(e, secretFile); err != nil {
				return err
			}
		}
		return j.locked("rotating", func(ctx context.Context) error { return j.rotate(ctx, wish, dryRun, yes) })
	}
	return cmd
}

// newSecret reads a secret that is to come.
func newSecret(e env, name string) (cmts.Secret, error) {
	var b []byte
	var err error
	if name == stdio {
		b, err = readSource(e, name, private.MaxSize)
	} else {
		b, err = private.Read(name, private.MaxSize)
	}
	if err != nil {
		return cmts.Secret{}, err
	}
	text := strings.TrimSuffix(strings.TrimSuffix(string(b), "\n"), "\r")
	if text == "" {
		return cmts.Secret{}, fmt.Errorf("%s: the secret is empty", name)
	}
	if strings.ContainsFunc(text, func(r rune) bool { return r < ' ' || r > '~' }) {
		return cmts.Secret{}, fmt.Errorf("%s: a secret is one line of printable ASCII characters", name)
	}
	return cmts.NewSecret(text), nil
}

func readsTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && isTerminal(f)
}

func (j *secretJob) rotate(ctx context.Context, wish rotate.Wish, dryRun, yes bool) error {
	state, err := rotate.ReadJournal(j.journalPath())
	if err != nil {
		return err
	}
	if state != nil && state.Ended == "" {
		return fmt.Errorf("the rotation that %s began at %s has not come to its end: dcs secret resume or dcs secret rollback", state.Plan.By, clock(state.Begun))
	}
	server, err := j.askServer(ctx)
	if err != nil {
		return err
	}
	sv, err := j.saga.TakeStock(ctx, j.ring, fleetNames(j.fleet), wish)
	if err != nil {
		return j.tellAll(err, "nothing was changed")
	}
	noStatic := j.lookBehind(&sv.Plan)
	j.bar.Close()
	if err := j.showPlan(sv, server, noStatic); err != nil {
		return err
	}
	if dryRun {
		_, err := fmt.Fprintln(j.stdout, "Nothing was changed.")
		return err
	}
	if !yes && !ask(j.env, "Rotate?") {
		fmt.Fprintln(j.stderr, "nothing was changed")
		return errTold
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

func fleetNames(fleet []cmts.CMTS) []string {
	all := make([]string, len(fleet))
	for i := range fleet {
		all[i] = fleet[i].Name
	}
	return all
}

func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }

// ask puts a question that is answered by y or yes.
func ask(e env, question string) bool {
	fmt.Fprintf(e.stdout, "%s [y/N] ", question)
	line, _ := bufio.NewReader(e.stdin).ReadString('\n')
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return true
	}
	return false
}

// lookBehind finds the static files that a rotation leaves behind. The error says why it is not known which.
func (j *secretJob) lookBehind(p *rotate.Plan) (err error) {
	old := map[string]bool{}
	for _, c := range p.CMTS {
		old[c.Old] = true
	}
	if p.NewDefault != p.OldDefault {
		old[p.OldDefault] = true
	}
	j.left, err = j.leaves(old)
	return err
}

// showLeft tells of the static files that a rotation leaves behind.
func (j *secretJob) showLeft(w io.Writer) {
	for i := range j.left {
		fmt.Fprintf(w, "Static    %v\n", &j.left[i])
	}
}

func (j *secretJob) showPlan(sv *rotate.Survey, server string, noStatic error) error {
	b := &bytes.Buffer{}
	p := &sv.Plan
	type pair struct{ old, new string }
	double, single := map[pair]int{}, map[pair][]string{}
	pairs := map[pair]bool{}
	for _, c := range p.CMTS {
		k := pair{c.Old, c.New}
		pairs[k] = true
		if c.Slots > 1 {
			double[k]++
		} else {
			single[k] = append(single[k], c.Name)
		}
	}
	fmt.Fprintf(b, "Keyring   %s, generation %d\nServer    %s\n", j.cfg.Secrets, j.ring.Generation, server)
	var windows []string
	for _, k := range slices.SortedFunc(maps.Keys(pairs), func(a, b pair) int { return strings.Compare(a.old, b.old) }) {
		fmt.Fprintf(b, "Secret    %s is followed by %s: %d CMTSes with two slots, %d with one", k.old, k.new, double[k], len(single[k]))
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
	j.showLeft(b)
	if noStatic != nil {
		fmt.Fprintf(b, "Static    not known: %v\n", firstLine(noStatic))
	}
	for _, note := range sv.Notes {
		fmt.Fprintf(b, "Note      %s: %s\n", some(note.CMTS), note.Text)
	}
	_, err := j.stdout.Write(b.Bytes())
	return err
}

// some names a few, and how many more there are.
func some(names []string) string {
	const few = 3
	if len(names) <= few+1 {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:few], ", "), len(names)-few)
}

// tellAll shows an error line by line, and a word in the end.
func (j *secretJob) tellAll(err error, end string) error {
	j.bar.Close()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		fmt.Fprintln(j.stderr, line)
	}
	fmt.Fprintln(j.stderr, end)
	return errTold
}

// finish shows who holds what, and what went wrong.
func (j *secretJob) finish(ctx context.Context, failure error) error {
	j.bar.Close()
	state := j.saga.Journal.State()
	ring, err := keyring.Load(j.cfg.Secrets)
	if err != nil {
		return errors.Join(failure, err)
	}
	if err := showHolders(j.stdout, state, ring); err != nil {
		return errors.Join(failure, err)
	}
	switch {
	case state.Ended == "":
		end := "not at its end: dcs secret resume goes on, dcs secret rollback brings all back"
		if ctx.Err() != nil {
			end = "stopped; " + end
		}
		if failure == nil {
			failure = errors.New("the rotation has not come to its end")
		}
		return j.tellAll(failure, end)
	case failure != nil:
		return j.tellAll(failure, "the old secrets stay")
	}
	word := "Rotated"
	if state.Back {
		word = "Rolled back"
	} else {
		j.showLeft(j.stdout)
	}
	_, err = fmt.Fprintf(j.stdout, "%s: %d CMTSes, generation %d, %v.\n", word, len(state.Plan.CMTS), ring.Generation, state.EndedAt.Sub(state.Begun).Round(time.Millisecond))
	return err
}

func showHolders(w io.Writer, state *rotate.State, ring *keyring.File) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CMTS\tholds\tfiles are signed with\trejected modems for")
	for _, c := range state.Plan.CMTS {
		p := state.CMTS[c.Name]
		window := "-"
		switch {
		case !p.Open.IsZero():
			window = "since " + clock(p.Open)
		case p.Window > 0:
			window = p.Window.Round(time.Millisecond).String()
		}
		signed := ring.Holds(c.Name)
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", c.Name, holding(c, p), signed, window)
	}
	return t.Flush()
}

// holding says in words what a CMTS holds.
func holding(c rotate.Change, p *rotate.Progress) string {
	var parts []string
	for _, h := range []struct {
		name string
		is   rotate.Holding
	}{{c.Old, p.Old}, {c.New, p.New}} {
		switch h.is {
		case rotate.Yes:
			parts = append(parts, h.name)
		case rotate.Maybe:
			parts = append(parts, "perhaps "+h.name)
		}
	}
	if len(parts) == 0 {
		return "nothing"
	}
	return strings.Join(parts, ", ")
}

func secretResumeCommand(e env, back bool) *cobra.Command {
	j := &secretJob{env: e}
	cmd := &cobra.Command{
		Use:   "resume",
		Short: "Go on with a rotation that was stopped",
		Long: `Go on with a rotation that was stopped: by a crash, a signal, or a CMTS that could not be
reached. Steps that may have been done or not are done again. A rotation that was turned
round goes on back.`,
		Args: cobra.NoArgs,
	}
	doing := "resuming a rotation"
	if back {
		doing = "rolling a rotation back"
		cmd.Use, cmd.Short = "rollback", "Bring all back that a rotation has changed"
		cmd.Long = `Bring all back that a rotation which has not come to its end has changed: the old secrets
go next to the new ones again where they are gone, the server switches back, the new
secrets go.`
	}
	j.flags(cmd)
	j.changing(cmd)
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := j.open(); err != nil {
			return err
		}
		return j.locked(doing, func(ctx context.Context) error { return j.resume(ctx, back) })
	}
	return cmd
}

func (j *secretJob) resume(ctx context.Context, turn bool) error {
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
		if turn && state != nil {
			return errors.New("the last rotation has come to its end: rotate again to bring a former secret back")
		}
		_, err := fmt.Fprintln(j.stdout, "No rotation is under way.")
		return err
	}
	if _, err := j.askServer(ctx); err != nil {
		return err
	}
	if err := j.lookBehind(&state.Plan); err != nil {
		fmt.Fprintf(j.stderr, "static files not known: %s\n", firstLine(err))
	}
	j.saga.Journal = rotate.Continue(out, state, time.Now)
	if turn {
		return j.finish(ctx, j.saga.Back(ctx, "by "+rotate.WhoAmI()))
	}
	return j.finish(ctx, j.saga.Run(ctx))
}

func secretStatusCommand(e env) *cobra.Command {
	j := &secretJob{env: e}
	verify := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Tell which secrets there are, and who holds them",
		Long: `Tell which secrets there are, who holds them, which of them the running server signs with,
and how far a rotation has come. It changes nothing, and shows no secret. With --verify
every CMTS is asked what it holds.`,
		Args: cobra.NoArgs,
	}
	j.flags(cmd)
	cmd.Flags().BoolVar(&verify, "verify", false, "ask every CMTS what it holds")
	cmd.RunE = func(*cobra.Command, []string) error {
		if err := j.open(); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
		defer stop()
		return j.status(ctx, verify)
	}
	return cmd
}

func (j *secretJob) status(ctx context.Context, verify bool) error {
	b := &bytes.Buffer{}
	server, err := "no admin address is configured", error(nil)
	if len(j.cfg.Admin) > 0 {
		if server, err = j.askServer(ctx); err != nil {
			server = err.Error()
		}
	}
	fmt.Fprintf(b, "Keyring   %s, generation %d\nServer    %s\n", j.cfg.Secrets, j.ring.Generation, server)
	if h := rotate.Held(j.lockPath()); h != nil {
		fmt.Fprintf(b, "Busy      %v\n", h)
	}
	state, err := rotate.ReadJournal(j.journalPath())
	if err != nil {
		return err
	}
	under := state != nil && state.Ended == ""
	switch {
	case under && state.Back:
		fmt.Fprintf(b, "Rotation  begun by %s at %s, being rolled back (%s)\n", state.Plan.By, clock(state.Begun), firstLine(errors.New(state.Why)))
	case under:
		fmt.Fprintf(b, "Rotation  begun by %s at %s, not at its end\n", state.Plan.By, clock(state.Begun))
	case state != nil:
		fmt.Fprintf(b, "Rotation  the last was %s at %s, by %s\n", state.Ended, clock(state.EndedAt), state.Plan.By)
	}
	if text := j.staticStatus(); text != "" {
		fmt.Fprintf(b, "Static    %s\n", text)
	}
	t := tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\nsecret\tsince generation\tused by")
	for _, name := range slices.Sorted(maps.Keys(j.ring.Secrets)) {
		n := 0
		for i := range j.fleet {
			if j.ring.Holds(j.fleet[i].Name) == name {
				n++
			}
		}
		used := fmt.Sprintf("%d CMTSes", n)
		if name == j.ring.Default {
			used += ", the default"
		}
		since := "-"
		if s := j.ring.Secrets[name].Since; s > 0 {
			since = fmt.Sprint(s)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, since, used)
	}
	t.Flush()
	b.WriteByte('\n')
	if under {
		err = showHolders(b, state, j.ring)
	} else if !verify {
		t = tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "CMTS\tsecret")
		for i := range j.fleet {
			fmt.Fprintf(t, "%s\t%s\n", j.fleet[i].Name, j.ring.Holds(j.fleet[i].Name))
		}
		t.Flush()
	}
	bad := false
	if verify {
		j.begin()
		found := j.saga.Ask(ctx, j.ring, fleetNames(j.fleet))
		j.bar.Close()
		t = tabwriter.NewWriter(b, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "CMTS\tsecret\tit says")
		for _, f := range found {
			says := f.Holds.String()
			if f.Note != "" {
				says += " (" + f.Note + ")"
			}
			if f.Err != nil {
				says, bad = firstLine(f.Err), true
			}
			fmt.Fprintf(t, "%s\t%s\t%s\n", f.CMTS, f.Secret, says)
		}
		t.Flush()
	}
	if _, werr := j.stdout.Write(b.Bytes()); werr != nil {
		return werr
	}
	if err == nil && bad {
		return errTold
	}
	return err
}
