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

// Wish is what the operator wants.
type Wish struct {
	CMTS  []string    // by name; nil: the whole fleet
	Given secret.Text // the new secret for all of them; zero: one is made for each of the old
	By    string
	Drain time.Duration
}

// Survey is what a fleet was found to be before a rotation.
type Survey struct {
	Plan    Plan
	New     map[string]secret.Text // by name
	Notes   []Note                 // what the operator should know before he says yes
	Failed  map[string]error       // by CMTS: why it cannot take part; empty if the rotation can begin
	Lengths int                    // of the secrets that were made; 0: none was
}

// Note is a word about CMTSes.
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

// Lengths of secrets that are made.
const (
	length   = 32
	shortest = 8
)

// TakeStock asks every CMTS that the wish names what it holds, and plans the rotation. It changes nothing. The error
// joins the obstacles, CMTS by CMTS. Where they are those of single CMTSes there is a survey too: what is known of the plan.
func (s *Saga) TakeStock(ctx Context, ring *keyring.File, fleet []string, wish Wish) (*Survey, error) {
	chosen := wish.CMTS
	if chosen == nil {
		chosen = fleet
	}
	switch {
	case len(fleet) == 0:
		return nil, errors.New("the fleet has no CMTS")
	case len(chosen) == 0:
		return nil, errors.New("no CMTS was named")
	}
	var errs []error
	for i, name := range chosen {
		if !slices.Contains(fleet, name) {
			errs = append(errs, fmt.Errorf("%s: the fleet has no CMTS of this name", name))
		}
		if slices.Contains(chosen[:i], name) {
			errs = append(errs, fmt.Errorf("%s is named twice", name))
		}
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	sv := &Survey{Plan: Plan{
		ID: s.now().UTC().Format("20060102-150405"), By: wish.By, Drain: wish.Drain,
		OldDefault: ring.Default, NewDefault: ring.Default,
	}, Failed: map[string]error{}}
	found, err := s.visitAll(ctx, ring, chosen, wish.Given)
	if ctx.Err() != nil {
		return nil, cmp.Or(err, ctx.Err())
	}

	names := newNames(ring, chosen, wish.Given, s.now())
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
			sv.note(name, "both slots are filled; the second secret gives way to the new one")
		}
	}
	all := !slices.ContainsFunc(fleet, func(name string) bool {
		return ring.Holds(name) == ring.Default && !slices.Contains(chosen, name)
	})
	if next, ok := names[ring.Default]; ok && all {
		sv.Plan.NewDefault = next
	}

	sv.New = map[string]secret.Text{}
	if !wish.Given.IsZero() {
		for _, name := range names {
			sv.New[name] = wish.Given
		}
		return sv, errors.Join(errs...)
	}
	n := min(length, least)
	if n < shortest {
		return nil, errors.Join(append(errs, fmt.Errorf("%s takes no secret longer than %d characters: too short for a random secret", weakest, n))...)
	}
	if n < length {
		sv.note(weakest, fmt.Sprintf("it takes no more than %d characters, so new secrets have as many", n))
	}
	sv.Lengths = n
	for _, old := range slices.Sorted(maps.Keys(names)) {
		sv.New[names[old]] = Generate(n)
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
		return &CMTSError{name, "open", err}
	}
	defer d.Close()
	if err := d.Check(secret); err != nil {
		return &CMTSError{name, "check", err}
	}
	return nil
}

// found is what a visit has shown.
type found struct {
	slots, maxLen, filled int
	readable              bool
	holds                 cmts.Holding
	note                  string
	failure               error
}

// visitAll asks CMTSes what they hold.
func (s *Saga) visitAll(ctx Context, ring *keyring.File, names []string, given secret.Text) ([]found, error) {
	all := make([]found, len(names))
	err := s.each(ctx, "asking", s.Parallel, names, func(ctx Context, i int) (err error) {
		all[i], err = s.visitOne(ctx, ring, names[i], given)
		all[i].failure = err
		return err
	})
	return all, err
}

// visitOne asks one; a secret that is given, unless it is zero, is looked at with its eyes.
func (s *Saga) visitOne(ctx Context, ring *keyring.File, name string, given secret.Text) (f found, err error) {
	current, err := ring.Reveal(ring.Holds(name))
	if err != nil {
		return f, err
	}
	d, err := s.Open(name)
	if err != nil {
		return f, &CMTSError{name, "open", err}
	}
	defer d.Close()
	f.slots, f.maxLen, f.readable = d.Slots(), d.MaxLen(), d.Readable()
	if !given.IsZero() {
		if err := d.Check(given); err != nil {
			return f, &CMTSError{name, "check", err}
		}
		if given.Equal(current) {
			return f, &CMTSError{name, "check", errors.New("it holds this very secret already")}
		}
	}
	err = s.try(ctx, name, "ask", func() error {
		st, err := d.Verify(ctx, []secret.Text{current})
		f.filled, f.note, f.holds = st.Filled, st.Note, held(st, 0)
		return err
	})
	if err == nil && (f.holds == cmts.No || f.holds == cmts.Partly) {
		err = &CMTSError{name, "ask", fmt.Errorf("the keyring says that it holds %q; it does not (%v)", ring.Holds(name), f.holds)}
	}
	return f, err
}

func held(st cmts.State, i int) cmts.Holding {
	if i < len(st.Holds) {
		return st.Holds[i]
	}
	return cmts.Unknown
}

var dated = regexp.MustCompile(`-[0-9]{8}(-[0-9]+)?$`)

// newNames gives each secret that chosen CMTSes hold the name of its successor: its own, with today's date. A given
// secret is one for all, and has one name.
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

// Letters and digits alone: there is no command line that they would mean something else to.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"

// Generate makes a secret of n letters and digits, by the system's source of randomness.
func Generate(n int) secret.Text {
	out := make([]byte, 0, n)
	var b [64]byte
	for len(out) < n {
		_, _ = rand.Read(b[:]) // never fails (crypto/rand)
		for _, x := range b {
			// The multiple of 62 below 256: above it, some would be likelier than others.
			if int(x) < 4*len(alphabet) && len(out) < n {
				out = append(out, alphabet[int(x)%len(alphabet)])
			}
		}
	}
	return secret.New(string(out))
}

// Answer is what a CMTS says of the secret that the keyring says it holds.
type Answer struct {
	CMTS, Secret string
	Holds        cmts.Holding
	Note         string
	Err          error // it could not be asked, or denies
}

// Ask asks CMTSes whether they hold what the keyring says. It changes nothing.
func (s *Saga) Ask(ctx Context, ring *keyring.File, names []string) []Answer {
	all := make([]Answer, len(names))
	for i, name := range names {
		all[i] = Answer{CMTS: name, Secret: ring.Holds(name), Err: context.Canceled} // until it was asked
	}
	_ = s.each(ctx, "asking", s.Parallel, names, func(ctx Context, i int) error { // each has its own error
		found, err := s.visitOne(ctx, ring, names[i], secret.Text{})
		all[i].Holds, all[i].Note, all[i].Err = found.holds, found.note, err
		return err
	})
	return all
}
