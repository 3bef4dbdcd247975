package rotate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/cmd/internal/keyring"
	"dcs/render/secret"
)

// Request says which secrets the operator wants to rotate, and how.
type Request struct {
	CMTS  []string    // names; nil: the whole fleet
	Given secret.Text // the new secret for all of them; zero: a random one for each old secret
	By    string      // the user
	Drain time.Duration
}

// Survey is the plan of a rotation with what the CMTSes answered.
type Survey struct {
	Plan    Plan
	New     map[string]secret.Text // by name
	Notes   []Note                 // for the operator to read before confirming
	Failed  map[string]error       // by CMTS, why it cannot take part; empty: the rotation can begin
	Lengths int                    // of the random secrets, in characters; 0: there are none
}

// Note is a remark about one or more CMTSes.
type Note struct {
	Text string
	CMTS []string
}

func (sv *Survey) note(name, text string) {
	for i := range sv.Notes {
		if n := &sv.Notes[i]; n.Text == text {
			n.CMTS = append(n.CMTS, name)
			return
		}
	}
	sv.Notes = append(sv.Notes, Note{text, []string{name}})
}

// Lengths of random secrets, in characters.
const (
	defaultLength = 32
	minLength     = 8
)

// Survey asks every requested CMTS which secrets it holds, and plans the rotation. It changes nothing. The error joins the
// obstacles, CMTS by CMTS; if only single CMTSes fail, the survey is returned too, as far as it is known.
func (s *Saga) Survey(ctx Context, ring *keyring.File, fleet []string, req Request) (*Survey, error) {
	chosen := req.CMTS
	if chosen == nil {
		chosen = fleet
	}
	switch {
	case len(fleet) == 0:
		return nil, errors.New("fleet has no CMTS")
	case len(chosen) == 0:
		return nil, errors.New("no CMTS given")
	}
	var errs []error
	for i, name := range chosen {
		if !slices.Contains(fleet, name) {
			errs = append(errs, fmt.Errorf("%s: no such CMTS in the fleet", name))
		}
		if slices.Contains(chosen[:i], name) {
			errs = append(errs, fmt.Errorf("%s: given twice", name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	sv := &Survey{Plan: Plan{
		ID: s.now().UTC().Format("20060102-150405"), By: req.By, Drain: req.Drain,
		OldDefault: ring.Default, NewDefault: ring.Default,
	}, Failed: map[string]error{}}
	found, err := s.inspectAll(ctx, ring, chosen, req.Given)
	if ctx.Err() != nil {
		return nil, cmp.Or(err, ctx.Err())
	}

	names := newNames(ring, chosen, req.Given, s.now())
	least, weakest := 1<<30, ""
	for i, name := range chosen {
		f := found[i]
		old := ring.Holds(name)
		sv.Plan.CMTS = append(sv.Plan.CMTS, Change{Name: name, Old: old, New: names[old], Slots: f.slots, Readable: f.readable})
		if f.failure != nil {
			sv.Failed[name] = f.failure
			errs = append(errs, f.failure)
			continue
		}
		if f.maxLen < least {
			least, weakest = f.maxLen, name
		}
		if f.note != "" {
			sv.note(name, f.note)
		}
		if f.slots > 1 && f.filled > 1 {
			sv.note(name, "both slots are in use; the new secret overwrites the second one")
		}
	}
	all := !slices.ContainsFunc(fleet, func(name string) bool {
		return ring.Holds(name) == ring.Default && !slices.Contains(chosen, name)
	})
	if next, ok := names[ring.Default]; ok && all {
		sv.Plan.NewDefault = next
	}

	sv.New = map[string]secret.Text{}
	if !req.Given.IsZero() {
		for _, name := range names {
			sv.New[name] = req.Given
		}
		return sv, errors.Join(errs...)
	}
	n := min(defaultLength, least)
	if n < minLength {
		return nil, errors.Join(append(errs, fmt.Errorf("%s accepts at most %d characters: too short for a random secret", weakest, n))...)
	}
	if n < defaultLength {
		sv.note(weakest, fmt.Sprintf("accepts at most %d characters, so all new secrets have that length", n))
	}
	sv.Lengths = n
	for _, old := range slices.Sorted(maps.Keys(names)) {
		sv.New[names[old]] = generate(n)
	}
	for _, c := range sv.Plan.CMTS {
		if sv.Failed[c.Name] != nil {
			continue
		}
		if err := s.check(c.Name, sv.New[c.New]); err != nil {
			sv.Failed[c.Name] = err
			errs = append(errs, err)
		}
	}
	return sv, errors.Join(errs...)
}

func (s *Saga) check(name string, secret secret.Text) error {
	d, err := s.Open(name)
	if err != nil {
		return &cmtsError{name, "open", err}
	}
	defer d.Close()
	if err := d.Check(secret); err != nil {
		return &cmtsError{name, "check", err}
	}
	return nil
}

// inspection is what one CMTS has answered.
type inspection struct {
	slots, maxLen, filled int
	readable              bool
	holds                 cmts.Holding
	note                  string
	failure               error
}

// inspectAll inspects several CMTSes, some at a time.
func (s *Saga) inspectAll(ctx Context, ring *keyring.File, names []string, given secret.Text) ([]inspection, error) {
	all := make([]inspection, len(names))
	err := s.each(ctx, "asking", s.Parallel, names, func(ctx Context, i int) (err error) {
		all[i], err = s.inspect(ctx, ring, names[i], given)
		all[i].failure = err
		return err
	})
	return all, err
}

// inspect asks a CMTS whether it holds the secret that the keyring says. It also checks that the CMTS would accept the given
// secret, unless that is zero.
func (s *Saga) inspect(ctx Context, ring *keyring.File, name string, given secret.Text) (f inspection, err error) {
	current, err := ring.Reveal(ring.Holds(name))
	if err != nil {
		return f, err
	}
	d, err := s.Open(name)
	if err != nil {
		return f, &cmtsError{name, "open", err}
	}
	defer d.Close()
	f.slots, f.maxLen, f.readable = d.Slots(), d.MaxLen(), d.Readable()
	if !given.IsZero() {
		if err := d.Check(given); err != nil {
			return f, &cmtsError{name, "check", err}
		}
		if given.Equal(current) {
			return f, &cmtsError{name, "check", errors.New("already holds this secret")}
		}
	}
	err = s.try(ctx, name, "ask", func() error {
		st, err := d.Verify(ctx, []secret.Text{current})
		f.filled, f.note, f.holds = st.Filled, st.Note, holdingOf(st, 0)
		return err
	})
	if err == nil && (f.holds == cmts.No || f.holds == cmts.Partly) {
		err = &cmtsError{name, "ask", fmt.Errorf("does not hold %q, the secret that the keyring says (%v)", ring.Holds(name), f.holds)}
	}
	return f, err
}

// holdingOf returns whether the CMTS holds the secret i that it was asked for.
func holdingOf(st cmts.State, i int) cmts.Holding {
	if i < len(st.Holds) {
		return st.Holds[i]
	}
	return cmts.Unknown
}

var dated = regexp.MustCompile(`-[0-9]{8}(-[0-9]+)?$`)

// newNames maps each secret that the chosen CMTSes hold to the name of its successor: the same with today's date. If a
// secret is given, there is one successor for all.
func newNames(ring *keyring.File, chosen []string, given secret.Text, now time.Time) map[string]string {
	names := map[string]string{}
	taken := map[string]bool{}
	for _, c := range chosen {
		old := ring.Holds(c)
		if names[old] != "" {
			continue
		}
		if !given.IsZero() && len(names) > 0 {
			for _, one := range names {
				names[old] = one
				break
			}
			continue
		}
		stem := dated.ReplaceAllString(old, "")
		stem = stem[:min(len(stem), 48)] + now.Format("-20060102")
		name := stem
		for n := 2; taken[name] || has(ring, name); n++ {
			name = fmt.Sprintf("%s-%d", stem, n)
		}
		names[old], taken[name] = name, true
	}
	return names
}

func has(ring *keyring.File, name string) bool {
	_, ok := ring.Secrets[name]
	return ok
}

// Letters and digits only: no command line interprets them.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// generate returns a random secret of n letters and digits.
func generate(n int) secret.Text {
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		for _, x := range b {
			// 248 is the largest multiple of 62 below 256: octets above it would make some characters more likely.
			if int(x) < 4*len(alphabet) && len(out) < n {
				out = append(out, alphabet[int(x)%len(alphabet)])
			}
		}
	}
	return secret.New(string(out))
}

// Answer says whether a CMTS holds the secret that the keyring says.
type Answer struct {
	CMTS, Secret string
	Holds        cmts.Holding
	Note         string
	Err          error // it could not be asked, or does not hold the secret
}

// Verify asks CMTSes whether they hold the secrets that the keyring says. It changes nothing.
func (s *Saga) Verify(ctx Context, ring *keyring.File, names []string) []Answer {
	all := make([]Answer, len(names))
	for i, name := range names {
		all[i] = Answer{CMTS: name, Secret: ring.Holds(name), Err: context.Canceled} // until it is asked
	}
	_ = s.each(ctx, "asking", s.Parallel, names, func(ctx Context, i int) error { // in all
		found, err := s.inspect(ctx, ring, names[i], secret.Text{})
		all[i].Holds, all[i].Note, all[i].Err = found.holds, found.note, err
		return err
	})
	return all
}
