package main

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/bench/cmts"
	"dcs/bench/require"
	"dcs/bench/rotation/lab"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/rotate"
	"dcs/render/mic"
)

// plant makes a plant with a server that runs.
func plant(t *testing.T, kinds ...lab.Kind) (*lab.Lab, *lab.Process) {
	t.Helper()
	require.Long(t, "a rotation in a simulated plant")
	l, err := lab.New(t.TempDir(), binary(t), kinds)
	if err != nil {
		t.Fatal(err)
	}
	l.Drain = drain
	t.Cleanup(func() { l.Close() })
	p, err := l.Serve()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	return l, p
}

// modems lets modems fetch and register until the returned function is called, which fails the test where a CMTS
// with two slots has rejected one whose file was not older than the drain time.
func modems(t *testing.T, l *lab.Lab, rate float64) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() {
		res, err := l.Modems(ctx, rate)
		if err == nil && res.Served == 0 {
			err = fmt.Errorf("no modem got a file: %+v", res)
		}
		ended <- err
	}()
	return func() {
		t.Helper()
		cancel()
		if err := <-ended; err != nil && ctx.Err() == nil {
			t.Error(err)
		}
		for _, c := range l.CMTS {
			n, within, why := c.Rejected()
			switch {
			case c.Counts().Accepted == 0:
				t.Errorf("%s has accepted nobody", c.Name)
			case n > 0 && c.Slots > 1:
				t.Errorf("%s has rejected %d modems within %v: %s", c.Name, n, within, why)
			case n > 0:
				t.Logf("%s, with one slot, has rejected %d modems within %v", c.Name, n, within)
			}
			if late := c.Late(); late > 0 {
				t.Logf("%s has rejected %d modems that this busy machine has let come later than the drain time", c.Name, late)
			}
		}
	}
}

// secretDone waits for a verb, and fails unless it has done its work.
func secretDone(t *testing.T, l *lab.Lab, verb string, args ...string) string {
	t.Helper()
	p, err := l.Secret(verb, args...)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(3 * time.Minute); err != nil {
		t.Fatalf("dcs secret %s: %v\n%s\n%s", verb, err, p.Out, l.Journal())
	}
	return p.Out.String()
}

// consistent fails unless every CMTS holds the one secret that the keyring says it has, and there is no other.
func consistent(t *testing.T, l *lab.Lab) *keyring.File {
	t.Helper()
	ring, err := keyring.Load(l.Secrets)
	if err != nil {
		t.Fatal(err)
	}
	for name, held := range l.Look() {
		want, err := ring.Reveal(ring.Holds(name))
		if err != nil {
			t.Fatal(err)
		}
		if len(held) != 1 || held[0] != want.Reveal() {
			t.Errorf("%s holds %d secrets, of which %q is one: %v\n%s", name, len(held), ring.Holds(name), slices.Contains(held, want.Reveal()), l.Journal())
		}
	}
	if len(ring.Secrets) != 1 {
		t.Errorf("%d secrets are in the keyring", len(ring.Secrets))
	}
	state, err := rotate.ReadJournal(l.Secrets + ".journal")
	if err != nil || state == nil || state.Ended == "" {
		t.Errorf("the journal has not ended: %v\n%s", err, l.Journal())
	}
	return ring
}

func noLeaks(t *testing.T, l *lab.Lab, more map[string]string) {
	t.Helper()
	l.Look()
	for _, where := range l.Leaks(more) {
		t.Errorf("a secret shows in %s", where)
	}
}

// drain is how long the rotations of these tests let a file be used. Modems need [lab.Lag] of it, and up to a second is lost
// where a file's age is told from its time in whole seconds.
const drain = 2 * time.Second

var fast = []string{"--yes", "--drain", drain.String()}

func TestSecretRotate(t *testing.T) {
	t.Parallel()
	l, server := plant(t, lab.Cisco, lab.C4, lab.C3, lab.BSR, lab.SmallC3)
	stop := modems(t, l, 300)

	plan := secretDone(t, l, "rotate", "--dry-run", "--drain", drain.String())
	for _, want := range []string{
		"generation 1\n", "serves generation 1 of its keyring\n", "main is followed by main-20",
		"3 CMTSes with two slots, 2 with one, and the default\n", "motorola-bsr-003, arris-c3-004\n", "Nothing was changed.\n",
	} {
		if !strings.Contains(plan, want) {
			t.Errorf("the plan does not say %q:\n%s", want, plan)
		}
	}
	if l.Journal() != "" {
		t.Errorf("a dry run has written %s", l.Journal())
	}

	busy, err := l.Secret("rotate", fast...)
	if err != nil {
		t.Fatal(err)
	}
	var processes strings.Builder
	eventually(t, "the rotation begins", func() bool { return strings.Contains(l.Journal(), "switching") || !busy.Running() })
	l.Look()
	// Nobody else gets in between.
	other, err := l.Secret("rotate", fast...)
	if err != nil {
		t.Fatal(err)
	}
	processes.WriteString(lab.CommandLines())
	if err := other.Wait(time.Minute); err == nil || !strings.Contains(other.Out.String(), fmt.Sprintf("process %d, since", busy.Process.Pid)) {
		t.Errorf("a second rotation: %v, %s", err, other.Out)
	}
	if out := secretDone(t, l, "status"); !strings.Contains(out, "Busy      rotating by ") {
		t.Errorf("status: %s", out)
	}
	if err := busy.Wait(3 * time.Minute); err != nil {
		t.Fatalf("%v\n%s", err, busy.Out)
	}
	if out := busy.Out.String(); !strings.Contains(out, "Rotated: 5 CMTSes") || !strings.Contains(out, "rejected modems for") {
		t.Errorf("%s", out)
	}
	t.Logf("%s", busy.Out)
	ring := consistent(t, l)
	if !strings.HasPrefix(ring.Header, "# Made for a test.") {
		t.Errorf("the header is %q", ring.Header)
	}
	if out := secretDone(t, l, "status", "--verify"); !strings.Contains(out, fmt.Sprintf("serves generation %d of", ring.Generation)) ||
		!strings.Contains(out, "cisco-000         "+ring.Default+"  yes") || !strings.Contains(out, "the last was done") {
		t.Errorf("status: %s", out)
	}

	// One that is given, for a part of the fleet, by standard input and by a file.
	given := filepath.Join(l.Dir, "given")
	if err := os.WriteFile(given, []byte("zqGIVEN-2231-plk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	secretDone(t, l, "rotate", append(fast, "--cmts", "cisco-000", "--secret-file", given)...)
	stop()
	held := l.Look()
	if got := held["cisco-000"]; len(got) != 1 || got[0] != "zqGIVEN-2231-plk" || slices.Equal(held["arris-c4-001"], got) {
		t.Error("the part of the fleet has not what was given, or all has it")
	}
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	noLeaks(t, l, map[string]string{"processes": processes.String()})
}

// lineCount waits until the journal has n lines, and tells whether it came to that before the process ended.
func lineCount(l *lab.Lab, p *lab.Process, n int) bool {
	for strings.Count(l.Journal(), "\n") < n {
		if !p.Running() {
			return false
		}
		time.Sleep(200 * time.Microsecond) // lines of the journal come within less than eventually looks again
	}
	return true
}

// Killed at each line of its journal, a rotation is resumed to a consistent end; every third is rolled back instead.
// Modems of CMTSes with two slots register all the while.
func TestSecretKill(t *testing.T) {
	const shards = 4 // most of the time is spent waiting for modems
	for shard := range shards {
		t.Run(fmt.Sprint(shard), func(t *testing.T) {
			t.Parallel()
			killRotations(t, shard+1, shards)
		})
	}
}

func killRotations(t *testing.T, first, step int) {
	l, server := plant(t, lab.Cisco, lab.C4, lab.C3, lab.BSR)
	stop := modems(t, l, 100)
	for n := first; ; n += step {
		id := l.Journal()
		p, err := l.Secret("rotate", fast...)
		if err != nil {
			t.Fatal(err)
		}
		eventually(t, "a journal begins", func() bool {
			j := l.Journal()
			return !p.Running() || j != "" && (id == "" || !strings.HasPrefix(j, id))
		})
		if !lineCount(l, p, n) {
			if err := p.Wait(time.Minute); err != nil {
				t.Fatalf("%v\n%s", err, p.Out)
			}
			break
		}
		p.Kill()
		l.Look()
		verb := "resume"
		if n%3 == 0 && !strings.Contains(l.Journal(), `"phase":"ending"`) {
			verb = "rollback"
		}
		if out := secretDone(t, l, "status"); !strings.Contains(out, "Rotation  ") {
			t.Errorf("killed at line %d, status says: %s", n, out)
		}
		if out := secretDone(t, l, verb, "--dry-run", "--drain", "1s"); strings.Contains(out, "No rotation is under way.") == strings.Contains(out, "Drain     1s\n") {
			t.Errorf("killed at line %d, a dry %s says: %s", n, verb, out)
		}
		out := secretDone(t, l, verb, "--yes")
		if consistent(t, l); t.Failed() {
			t.Fatalf("killed at line %d, then %s:\n%s", n, verb, out)
		}
	}
	stop()
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	noLeaks(t, l, nil)
}

// The server, killed at steps of a rotation and started again, comes to sign as the keyring says; the rotation
// goes on by itself, or by resume.
func TestSecretKillServer(t *testing.T) {
	t.Parallel()
	l, server := plant(t, lab.Cisco, lab.C3, lab.BSR)
	stop := modems(t, l, 100)
	for _, at := range []string{`"prepared"`, `"switching"`, `"switched"`, `"step":"removed"`, `"step":"adding","old":"no"`, `"ending"`} {
		p, err := l.Secret("rotate", fast...)
		if err != nil {
			t.Fatal(err)
		}
		id := l.Journal()
		eventually(t, "the journal says "+at, func() bool {
			j := l.Journal()
			return !p.Running() || strings.Contains(j, at) && (id == "" || !strings.HasPrefix(j, id))
		})
		server.Kill()
		if server, err = l.Serve(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Kill)
		if err := p.Wait(3 * time.Minute); err != nil {
			t.Logf("%s: %s", at, p.Out)
			secretDone(t, l, "resume")
		}
		ring := consistent(t, l)
		if out := secretDone(t, l, "status"); !strings.Contains(out, fmt.Sprintf("serves generation %d of", ring.Generation)) {
			t.Errorf("%s: %s", at, out)
		}
	}
	stop()
	noLeaks(t, l, nil)
}

// A CMTS that cannot be reached stops a rotation before the switch; a dialogue that goes wrong turns it round; without a
// server the keyring is changed for the next start.
func TestSecretFaults(t *testing.T) {
	t.Parallel()
	l, server := plant(t, lab.Cisco, lab.C4, lab.C3, lab.BSR)
	sick := l.CMTS[0]
	fails := func(want string, args ...string) string {
		t.Helper()
		p, err := l.Secret("rotate", append(slices.Concat(fast, []string{"--tries", "1"}), args...)...)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Wait(3 * time.Minute); err == nil || !strings.Contains(p.Out.String(), want) {
			t.Fatalf("%v, want %q:\n%s", err, want, p.Out)
		}
		return p.Out.String()
	}
	// The plan is shown, with the CMTS that does not answer.
	sick.SetFaults(cmts.Faults{DropAfter: 1})
	for _, more := range [][]string{nil, {"--dry-run"}} {
		out := fails("1 of 4 CMTSes cannot take part: nothing was changed", more...)
		for _, want := range []string{
			"generation 1\n", "2 CMTSes with two slots, 1 with one, 1 that cannot take part, and the default\n", "\nFAILED    cisco-000: ", "\nDrain     2s between",
			"never against a real one",
		} {
			if !strings.Contains(out, want) {
				t.Errorf("rotate %v does not say %q:\n%s", more, want, out)
			}
		}
	}
	if l.Journal() != "" {
		t.Error("a journal was begun")
	}
	sick.SetFaults(cmts.Faults{ErrorOn: "secondary-secret index 16 0"})
	fails("everything was restored")
	consistent(t, l)
	if err := os.WriteFile(filepath.Join(l.Dir, "password"), []byte("wrong"), 0o600); err != nil {
		t.Fatal(err)
	}
	sick.SetFaults(cmts.Faults{})
	fails("cisco-000: ask: ")
	if err := os.WriteFile(filepath.Join(l.Dir, "password"), []byte(lab.Password), 0o600); err != nil {
		t.Fatal(err)
	}
	consistent(t, l)
	if err := server.Stop(); err != nil {
		t.Error(err)
	}
	out := secretDone(t, l, "rotate", "--yes", "--drain", "0s")
	if !strings.Contains(out, "the keyring is changed for the next start") {
		t.Errorf("%s", out)
	}
	ring := consistent(t, l)
	if server, err := l.Serve(); err != nil {
		t.Error(err)
	} else {
		t.Cleanup(server.Kill)
	}
	if out := secretDone(t, l, "status"); !strings.Contains(out, fmt.Sprintf("serves generation %d of", ring.Generation)) {
		t.Errorf("%s", out)
	}
	noLeaks(t, l, nil)
}

// The shipped examples can be read, and mean what they say.
func TestSecretExamples(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"secrets.yaml", "cmts.yaml"} {
		src, err := os.ReadFile(filepath.Join("packaging", name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), src, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range map[string]string{"south.secret": "south text\n", "west": "west text"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("CREDENTIALS_DIRECTORY", dir)
	cfg := config.Default()
	cfg.Secrets = filepath.Join(dir, "secrets.yaml")
	s, err := assemble.ReadSecrets(&cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	for modem, key := range map[string]string{
		"198.18.1.2": "change me", "198.18.17.2": "south text", "198.18.33.2": "south text", "198.18.65.2": "west text", "10.0.0.1": "change me",
	} {
		if !s.Ring.Secret(netip.MustParseAddr(modem)).Equal(mic.NewSecret([]byte(key))) {
			t.Errorf("%s has not the secret %q", modem, key)
		}
	}
	if len(s.State.Secrets) != 3 || len(s.State.CMTS) != 3 { // one is not used, and its variable is not set
		t.Errorf("%+v", s.State)
	}
	// What stays the same stays the same one.
	again, err := assemble.ReadSecrets(&cfg, s)
	if err != nil || !again.Ring.Secret(netip.Addr{}).Same(s.Ring.Secret(netip.Addr{})) || !assemble.SameSecrets(s, again) {
		t.Errorf("read twice, the secrets are others: %v", err)
	}
	if got := dcs("", "secret", "status", "--secrets", cfg.Secrets); got.status != done ||
		!strings.Contains(got.stdout, "hub-south  south") || strings.Contains(got.stdout+got.stderr, "change me") {
		t.Errorf("%+v", got)
	}
}

func TestSecretUsage(t *testing.T) {
	file := filepath.Join(t.TempDir(), "secrets.yaml")
	if err := os.WriteFile(file, []byte("default: main\nsecrets: {main: {text: very secret}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{}, misuse, "missing verb: want resume, rollback, rotate or status"},
		{[]string{"rotate", "--secrets", file}, misuse, "give --yes or --dry-run"},
		{[]string{"rotate", "--secrets", file, "--yes", "--drain", "-1s"}, misuse, "--drain -1s"},
		{[]string{"rotate", "--secrets", file, "--yes", "--parallel", "0"}, misuse, "--parallel 0"},
		{[]string{"rotate", "--secrets", file, "--yes"}, failed, "no admin address is configured"},
		{[]string{"rotate", "--secrets", file, "--yes", "--no-server"}, failed, "fleet has no CMTS"},
		{[]string{"rotate", "--secrets", file, "--yes", "--no-server", "--secret-file", "-"}, failed, "empty secret"},
		{[]string{"rollback", "--secrets", file}, done, "No rotation is under way."},
		{[]string{"resume", "--secrets", file}, done, "No rotation is under way."},
		{[]string{"status", "--secrets", file + "x"}, failed, "no such file"},
	} {
		got := dcs("", append([]string{"secret"}, tt.args...)...)
		if got.status != tt.status || !strings.Contains(got.stdout+got.stderr, tt.want) || strings.Contains(got.stdout+got.stderr, "very") {
			t.Errorf("%v: %+v, want %d, %q", tt.args, got, tt.status, tt.want)
		}
	}
}

// A server that would not take the change is found before any CMTS has a new secret.
func TestSecretAsksForChanges(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ring := filepath.Join(dir, "ring")
	write(t, ring, "default: main\nsecrets: {main: {text: x}}\n")
	closed, socket := freeAddress(t), "unix:"+filepath.Join(dir, "admin.sock")
	serve(t, "--library", "../../testdata/library", "--secrets", ring, "--transport", "socket", "--admin", closed+","+socket)
	for _, tt := range []struct {
		admin []string
		want  string // of the server's line
	}{
		{[]string{closed}, "server at " + closed + ": changes need a token, a client certificate or a Unix socket"},
		{[]string{closed, socket}, socket + ", serves generation "},
		{[]string{socket}, socket + ", serves generation "},
	} {
		file := filepath.Join(dir, "dcs.yaml")
		write(t, file, "secrets: ring\nadmin: ["+strings.Join(tt.admin, ", ")+"]\n")
		got := dcs("", "secret", "status", "--config", file)
		if got.status != done || !strings.Contains(got.stdout, "\nServer    "+tt.want) {
			t.Errorf("%v: %+v, want %q", tt.admin, got, tt.want)
		}
	}
	if got := dcs("", "secret", "rotate", "--secrets", ring, "--admin", closed, "--yes"); got.status != failed || !strings.Contains(got.stderr, "changes need a token") {
		t.Errorf("%+v", got)
	}
}
