package secretjob

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/keyring"
	"dcs/cmd/internal/rotate"
)

// showHolders prints which secrets each CMTS of a rotation holds.
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

// holding describes which secrets a CMTS holds.
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

// Status prints the state of keyring, server and rotation; with verify, also what each CMTS says it holds. The error is
// [cli.ErrReported] if a CMTS could not be asked or does not hold its secret.
func (j *Job) Status(ctx context.Context, verify bool) error {
	b := &bytes.Buffer{}
	server, err := "no admin address is configured", error(nil)
	if len(j.cfg.Admin) > 0 {
		if server, err = j.askServer(ctx); err != nil {
			server = err.Error()
		}
	}
	fmt.Fprintf(b, "Keyring   %s, generation %d\nServer    %s\n", j.cfg.Secrets, j.ring.Generation, server)
	if h := rotate.CurrentHolder(j.lockPath()); h != nil {
		fmt.Fprintf(b, "Busy      %v\n", h)
	}
	state, err := rotate.ReadJournal(j.journalPath())
	if err != nil {
		return err
	}
	under := state != nil && state.Ended == ""
	switch {
	case under && state.RollingBack:
		fmt.Fprintf(b, "Rotation  begun by %s at %s, being rolled back (%s)\n", state.Plan.By, clock(state.Begun), firstLine(errors.New(state.Why)))
	case under:
		fmt.Fprintf(b, "Rotation  begun by %s at %s, not ended\n", state.Plan.By, clock(state.Begun))
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
		found := j.saga.Verify(ctx, j.ring, fleetNames(j.fleet))
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
	if _, werr := j.Env.Stdout.Write(b.Bytes()); werr != nil {
		return werr
	}
	if err == nil && bad {
		return cli.ErrReported
	}
	return err
}
