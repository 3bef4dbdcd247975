package rotate

import (
	"fmt"
	"time"
)

// Holding is what the journal knows of a CMTS and a secret.
type Holding string

// A CMTS may hold a secret after a step that was begun and of whose end nothing is known.
const (
	No    Holding = "no"
	Maybe Holding = "maybe"
	Yes   Holding = "yes"
)

// Plan is what a rotation is to change. It is the first record of the journal, and holds no secret: their texts are in
// the keyring, all of them, from before the first change until after the last.
type Plan struct {
	ID         string        `json:"id"`
	By         string        `json:"by"` // who began it
	Drain      time.Duration `json:"drain_ns"`
	OldDefault string        `json:"old_default"`
	NewDefault string        `json:"new_default"`
	CMTS       []Change      `json:"cmts"`
}

// Change is a CMTS with the names of its secrets.
type Change struct {
	Name     string `json:"name"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Slots    int    `json:"slots"`
	Readable bool   `json:"readable"` // whether it tells which secrets it holds
}

// Phases that the journal records.
const (
	prepared  = "prepared"  // the new secrets are in the keyring
	switching = "switching" // from here on modems may get files under the new secrets
	switched  = "switched"
	back      = "back"   // turned round: the old secrets are to stay
	ending    = "ending" // secrets that nobody holds go from the keyring; there is no turning round any more
	done      = "done"
	undone    = "undone" // all is as it was
)

// record is a line of the journal.
type record struct {
	At         time.Time `json:"at"`
	Plan       *Plan     `json:"plan,omitempty"`
	Phase      string    `json:"phase,omitempty"`
	Why        string    `json:"why,omitempty"`
	Generation uint64    `json:"generation,omitempty"`

	CMTS   string  `json:"cmts,omitempty"`
	Step   string  `json:"step,omitempty"`
	Old    Holding `json:"old,omitempty"`
	New    Holding `json:"new,omitempty"`
	Window bool    `json:"window,omitempty"` // opens the time in which the CMTS rejects modems, or is part of it
}

// State is how far a rotation has come.
type State struct {
	Plan       Plan
	Begun      time.Time
	Back       bool   // its direction is back to the old secrets
	Why        string // it was turned round
	Prepared   bool
	Switching  bool      // into the present direction: a server may have been told
	Moved      bool      // some server may have been told to leave the old secrets, ever
	Switched   time.Time // into the present direction, zero: not yet
	Generation uint64    // of the keyring that was switched to last
	Ending     bool      // in its present direction
	Ended      string    // "", done or undone
	EndedAt    time.Time
	CMTS       map[string]*Progress
}

// Progress is how far one CMTS has come.
type Progress struct {
	Old, New Holding
	Step     string        // that was recorded last
	Open     time.Time     // since when it rejects modems; zero: it does not
	Window   time.Duration // for how long it did
}

func (s *State) apply(r *record) error {
	switch {
	case r.Plan != nil:
		s.Plan, s.Begun = *r.Plan, r.At
		s.CMTS = map[string]*Progress{}
		for _, c := range r.Plan.CMTS {
			s.CMTS[c.Name] = &Progress{Old: Yes, New: No}
		}
	case r.CMTS != "":
		p := s.CMTS[r.CMTS]
		if p == nil {
			return fmt.Errorf("%q is not in its plan", r.CMTS)
		}
		p.Old, p.New, p.Step = r.Old, r.New, r.Step
		switch {
		case r.Window && p.Open.IsZero():
			p.Open = r.At
		case !r.Window && !p.Open.IsZero():
			p.Window += max(r.At.Sub(p.Open), 0) // a clock may have been set back
			p.Open = time.Time{}
		}
	default:
		switch r.Phase {
		case prepared:
			s.Prepared = true
		case switching:
			s.Switching, s.Moved = true, true
		case switched:
			s.Switching, s.Switched, s.Generation = true, r.At, r.Generation
		case back:
			s.Back, s.Why = true, r.Why
			s.Switching, s.Switched = false, time.Time{}
		case ending:
			s.Ending = true
		case done, undone:
			s.Ended, s.EndedAt = r.Phase, r.At
		default:
			return fmt.Errorf("phase %q is unknown", r.Phase)
		}
	}
	return nil
}

// Clone returns a copy that does not change any more.
func (s *State) Clone() *State {
	c := *s
	c.CMTS = make(map[string]*Progress, len(s.CMTS))
	for name, p := range s.CMTS {
		q := *p
		c.CMTS[name] = &q
	}
	return &c
}

// how returns what the rotation ends as in its present direction.
func (s *State) how() string {
	if s.Back {
		return undone
	}
	return done
}

// names returns the secret that comes and the one that goes, in the present direction.
func (s *State) names(c Change) (to, from string) {
	if s.Back {
		return c.Old, c.New
	}
	return c.New, c.Old
}

// holds returns whether a CMTS holds the secret that goes (going) or the one that comes.
func (s *State) holds(c Change, going bool) Holding {
	p := s.CMTS[c.Name]
	if going == s.Back {
		return p.New
	}
	return p.Old
}
