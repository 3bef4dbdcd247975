package rotate

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"dcs/cmd/internal/cmts"
	"dcs/render/secret"
)

// backOff returns the pause before an attempt, which counts from 0.
func backOff(try int) time.Duration { return time.Second << min(try-1, 5) }

// mark records which secrets a CMTS holds from now on: to, which the present direction adds, and from, which it removes.
func (s *Saga) mark(c Change, step string, to, from Holding, window bool) error {
	r := record{CMTS: c.Name, Step: step, Old: from, New: to, Window: window}
	if s.Journal.State().RollingBack {
		r.Old, r.New = to, from
	}
	return s.Journal.write(r)
}

// visit is one CMTS with the secret that is added and the one that is removed in the present direction.
type visit struct {
	cmts.Driver
	to, from secret.Text
	st       *State
}

// replacing is the phase of CMTSes with one slot.
const replacing = "replacing"

// changeAll takes a step on several CMTSes, some at a time.
func (s *Saga) changeAll(ctx Context, phase string, changes []Change, step func(Context, Change, *visit) error) error {
	st := s.Journal.State()
	ring, err := s.Store.Load()
	if err != nil {
		return err
	}
	names := make([]string, len(changes))
	for i := range changes {
		names[i] = changes[i].Name
	}
	parallel := s.Parallel
	if phase == replacing {
		parallel /= 4 // to keep short the time that each is without a secret
	}
	return s.each(ctx, phase, parallel, names, func(ctx Context, i int) error {
		c := changes[i]
		v := &visit{st: st}
		to, from := st.names(c)
		var err1, err2 error
		v.to, err1 = ring.Reveal(to)
		v.from, err2 = ring.Reveal(from)
		if err := errors.Join(err1, err2); err != nil {
			return err
		}
		if v.Driver, err1 = s.Open(c.Name); err1 != nil {
			return &cmtsError{c.Name, "open", err1}
		}
		defer v.Close()
		return step(ctx, c, v)
	})
}

// each calls f for all names, some at a time, and joins the errors. It stops early only if the journal cannot be written or
// ctx is done.
func (s *Saga) each(ctx Context, phase string, parallel int, names []string, f func(Context, int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, len(names))
	next := make(chan int)
	var running sync.WaitGroup
	var mu sync.Mutex
	finished := 0
	for range min(max(parallel, 1), len(names)) {
		running.Go(func() {
			for i := range next {
				if errs[i] = f(ctx, i); errors.Is(errs[i], errJournal) {
					cancel()
				}
				mu.Lock()
				finished++
				e := Event{Phase: phase, CMTS: names[i], Done: finished, Total: len(names), Err: errs[i]}
				mu.Unlock()
				s.report(e)
			}
		})
	}
feed:
	for i := range names {
		select {
		case next <- i:
		case <-ctx.Done():
			break feed
		}
	}
	close(next)
	running.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// try takes a step on a CMTS, and repeats it up to s.Tries times; access that is denied is not repeated.
func (s *Saga) try(ctx Context, name, step string, f func() error) error {
	var err error
	for try := range max(s.Tries, 1) {
		if try > 0 {
			s.report(Event{Phase: step, CMTS: name, Err: err, Text: "trying again"})
			if s.Sleep(ctx, backOff(try)) != nil {
				break
			}
		}
		if err = f(); err == nil || errors.Is(err, cmts.ErrDenied) || ctx.Err() != nil {
			break
		}
	}
	if err != nil {
		return &cmtsError{name, step, err}
	}
	return nil
}

// has returns an error if the CMTS is known not to hold what it should: the added secret if to is set, the removed one if
// from is. A CMTS that cannot be read passes.
func (v *visit) has(ctx Context, to, from bool) error {
	st, err := v.Verify(ctx, []secret.Text{v.to, v.from})
	if err != nil {
		return err
	}
	for i, want := range []bool{to, from} {
		got, what := holdingOf(st, i), []string{"the secret being added", "the secret being removed"}[i]
		switch {
		case want && (got == cmts.No || got == cmts.Partly):
			return fmt.Errorf("does not hold %s (%v)", what, got)
		case !want && (got == cmts.Yes || got == cmts.Partly):
			return fmt.Errorf("still holds %s (%v)", what, got)
		}
	}
	return nil
}

// add adds the new secret beside the present one.
func (s *Saga) add(ctx Context, c Change, v *visit) error {
	from := v.st.holds(c, true)
	unclear := v.st.holds(c, false) == Maybe
	if v.st.holds(c, false) == Yes {
		return nil
	}
	if err := s.mark(c, "adding", Maybe, from, false); err != nil {
		return err
	}
	err := s.try(ctx, c.Name, "add", func() error {
		// An interrupted step may have left an interface with the secrets in the opposite order: adding would overwrite
		// the one that files are signed with. Make that one the only one first.
		if unclear {
			if err := v.Remove(ctx, v.from); err != nil {
				return err
			}
			unclear = false
		}
		if err := v.Add(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, from == Yes)
	})
	if err != nil {
		return err
	}
	return s.mark(c, "added", Yes, from, false)
}

// remove leaves the added secret as the only one.
func (s *Saga) remove(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, true) == No {
		return nil
	}
	if err := s.mark(c, "removing", Yes, Maybe, false); err != nil {
		return err
	}
	err := s.try(ctx, c.Name, "remove", func() error {
		if err := v.Remove(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, false)
	})
	if err != nil {
		return err
	}
	return s.mark(c, "removed", Yes, No, false)
}

// checkReachable fails if a CMTS does not answer or denies access.
func (s *Saga) checkReachable(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, false) == Yes {
		return nil
	}
	return s.try(ctx, c.Name, "ask", func() error {
		_, err := v.Verify(ctx, nil)
		return err
	})
}

// replace replaces the only secret of a CMTS, which rejects modems meanwhile. After any failure the old secret is restored.
func (s *Saga) replace(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, false) == Yes {
		return nil
	}
	if v.st.holds(c, true) != No {
		if err := s.mark(c, "removing", No, Maybe, true); err != nil {
			return err
		}
	}
	if err := s.exchange(ctx, c, v); err != nil {
		return s.restore(ctx, c, v, err)
	}
	return s.mark(c, "replaced", Yes, No, false)
}

// exchange removes the old secret from a CMTS, switches the server for its modems and adds the new one. After an error
// the CMTS may be without a secret.
func (s *Saga) exchange(ctx Context, c Change, v *visit) error {
	if v.st.holds(c, true) != No {
		if err := s.try(ctx, c.Name, "remove", func() error { return v.Remove(ctx, secret.Text{}) }); err != nil {
			return err
		}
		if err := s.mark(c, "removed", No, No, true); err != nil {
			return err
		}
	}
	to, _ := v.st.names(c)
	if err := s.assign(ctx, map[string]string{c.Name: to}, ""); err != nil {
		return err
	}
	if err := s.mark(c, "adding", Maybe, No, true); err != nil {
		return err
	}
	return s.try(ctx, c.Name, "add", func() error {
		if err := v.Add(ctx, v.to); err != nil {
			return err
		}
		return v.has(ctx, true, false)
	})
}

// interruptedGrace bounds the time that an interrupted rotation takes to restore the secret of a CMTS.
const interruptedGrace = 30 * time.Second

// restore sets the old secret of a CMTS with one slot again, so that its modems can register: even after an interrupt, and
// even if journal or server fail. Only what is recorded as restored is not repeated by resume and rollback.
func (s *Saga) restore(ctx Context, c Change, v *visit, cause error) error {
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	if interrupted {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, interruptedGrace)
		defer cancel()
	}
	recordErr := s.mark(c, "restoring", Maybe, Maybe, true)
	err := s.try(ctx, c.Name, "restore", func() error {
		if err := v.Add(ctx, v.from); err != nil {
			return err
		}
		return v.has(ctx, false, true)
	})
	if err != nil {
		err = errors.Join(err, fmt.Errorf("%s may be without a secret and reject its modems; repair it, then resume or roll back", c.Name))
	}
	_, from := v.st.names(c)
	if err = errors.Join(recordErr, err, s.assign(ctx, map[string]string{c.Name: from}, "")); err != nil {
		return errors.Join(cause, err)
	}
	return errors.Join(cause, s.mark(c, "restored", No, Yes, false))
}
