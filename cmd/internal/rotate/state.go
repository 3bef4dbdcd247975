package rotate

import (
	"fmt"
	"time"
)

// Holding says whether a CMTS holds a secret, as far as the journal records.
type Holding string

// Maybe is recorded before a step whose result is not known yet.
const (
	No    Holding = "no"
	Maybe Holding = "maybe"
	Yes   Holding = "yes"
)

// Plan says what a rotation changes. It is the first record of the journal, and names secrets only: their texts are in the
// keyring from before the first change until after the last.
type Plan struct {
	ID         string        `json:"id"`
	By         string        `json:"by"` // the user who began it
	Drain      time.Duration `json:"drain_ns"`
	OldDefault string        `json:"old_default"`
	NewDefault string        `json:"new_default"`
	CMTS       []Change      `json:"cmts"`
}

// Change is a CMTS with the names of its old and new secret.
type Change struct {
	Name     string `json:"name"`
	Old      string `json:"old"`
	New      string `json:"new"`
	Slots    int    `json:"slots"`
	Readable bool   `json:"readable"` // whether its secrets can be read back
}

// Phases that the journal records.
const (
	prepared  = "prepared"  // the keyring has the new secrets, and the server has loaded it
	switching = "switching" // from here on modems may get files signed with the new secrets
	switched  = "switched"
	back      = "back"   // rolling back: the old secrets stay
	ending    = "ending" // unused secrets are removed from the keyring; rolling back is no longer possible
	done      = "done"
	undone    = "undone" // rolled back
)

// record is a line of the journal. Its keys and values must stay readable by later versions.
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
	Window bool    `json:"window,omitempty"` // the CMTS rejects modems from here on
}

// State is the progress of a rotation.
type State struct {
	Plan         Plan
	Begun        time.Time
	RollingBack  bool   // towards the old secrets
	Why          string // it is rolled back
	Prepared     bool
	Switching    bool      // in the present direction: the server may have switched
	EverSwitched bool      // in either direction
	Switched     time.Time // in the present direction; zero: not yet
	Generation   uint64    // of the keyring at the last switch
	Ending       bool      // in the present direction
	Ended        string    // "", done or undone
	EndedAt      time.Time
	CMTS         map[string]*Progress
}

// Progress is the progress of one CMTS.
type Progress struct {
	Old, New Holding
	Step     string        // the last that was recorded
	Open     time.Time     // when it began to reject modems; zero: it accepts them
	Window   time.Duration // how long it rejected modems
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
			return fmt.Errorf("CMTS %q is not in the plan", r.CMTS)
		}
		p.Old, p.New, p.Step = r.Old, r.New, r.Step
		switch {
		case r.Window && p.Open.IsZero():
			p.Open = r.At
		case !r.Window && !p.Open.IsZero():
			p.Window += max(r.At.Sub(p.Open), 0) // the clock may have been set back
			p.Open = time.Time{}
		}
	default:
		switch r.Phase {
		case prepared:
			s.Prepared = true
		case switching:
			s.Switching, s.EverSwitched = true, true
		case switched:
			s.Switching, s.Switched, s.Generation = true, r.At, r.Generation
		case back:
			s.RollingBack, s.Why = true, r.Why
			s.Switching, s.Switched = false, time.Time{}
		case ending:
			s.Ending = true
		case done, undone:
			s.Ended, s.EndedAt = r.Phase, r.At
		default:
			return fmt.Errorf("unknown phase %q", r.Phase)
		}
	}
	return nil
}

// clone returns a deep copy.
func (s *State) clone() *State {
	c := *s
	c.CMTS = make(map[string]*Progress, len(s.CMTS))
	for name, p := range s.CMTS {
		q := *p
		c.CMTS[name] = &q
	}
	return &c
}

// outcome returns the phase that ends the rotation in the present direction.
func (s *State) outcome() string {
	if s.RollingBack {
		return undone
	}
	return done
}

// names returns the names of the secret that is added and of the one that is removed, in the present direction.
func (s *State) names(c Change) (to, from string) {
	if s.RollingBack {
		return c.Old, c.New
	}
	return c.New, c.Old
}

// holds returns whether a CMTS holds the secret that is removed (old) or the one that is added, in the present direction.
func (s *State) holds(c Change, old bool) Holding {
	p := s.CMTS[c.Name]
	if old == s.RollingBack {
		return p.New
	}
	return p.Old
}
