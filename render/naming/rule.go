package naming

import (
	"errors"
	"fmt"
	"regexp"
)

// A Rule rewrites the names that an expression (RE2) matches, or those that it does not match.
type Rule struct {
	Match  string // the expression; it matches anywhere in the name unless it contains ^ or $
	Unless string // instead of Match: the rule applies to names that this does not match
	// To replaces the first match if Rewrite is set: $0 is the whole match, $1 to $9, $name and ${name} are its groups, $$ is
	// a dollar sign. Letters after \U are written in upper case, after \L in lower case, up to \E; \\ is a backslash.
	To      string
	Rewrite bool
	Repeat  bool // To replaces all matches, again and again until Match matches no more
	Last    bool // the rules that follow are skipped
	Refuse  bool // the name gets no file

	compiled *compiled // nil: not compiled yet
}

const (
	maxRules = 100
	// maxPasses is how often a rule is repeated on one name before it counts as endless: requested names are chosen by clients, and
	// must not cost more than some microseconds per rule.
	maxPasses = 32
)

// compiled is what Compile makes of a rule.
type compiled struct {
	re, folded *regexp.Regexp // folded ignores letter case
	to         []piece
}

// Compile checks a rule and compiles it; [New] then uses the result. A rule that repeats is refused if it provably
// never ends. A Rule whose Compile has failed must not be passed to New.
func (r *Rule) Compile() error {
	if err := r.check(); err != nil {
		return err
	}
	re, err := regexp.Compile(r.source())
	if err != nil {
		return err
	}
	folded, err := regexp.Compile("(?i)" + r.source())
	if err != nil {
		return err
	}
	to, err := parseReplacement(r.To, re)
	if err != nil {
		return fmt.Errorf("to: %w", err)
	}
	if r.Repeat {
		err = endless(re, to)
	}
	r.compiled = &compiled{re, folded, to}
	return err
}

func (r *Rule) source() string { return r.Match + r.Unless }

// check finds settings that contradict one another.
func (r *Rule) check() error {
	switch {
	case (r.Match == "") == (r.Unless == ""):
		return errors.New("set either match or unless")
	case r.Unless != "" && r.Rewrite:
		return errors.New("unless cannot be used with to; use match")
	case r.Refuse && (r.Rewrite || r.Last):
		return errors.New("refuse cannot be used with to or last")
	case r.Repeat && !r.Rewrite:
		return errors.New("repeat requires to")
	case !r.Rewrite && !r.Last && !r.Refuse:
		return errors.New("no effect; set to, last or refuse")
	case len(r.source()) > MaxName:
		return fmt.Errorf("expression is longer than %d octets", MaxName)
	}
	return nil
}

// rule is a Rule ready for use.
type rule struct {
	Rule
	re   *regexp.Regexp
	want bool // whether the expression must match
	to   []piece
}

// compileRules prepares rules for use; with fold they ignore letter case.
func compileRules(rules []Rule, fold bool) ([]*rule, error) {
	if len(rules) > maxRules {
		return nil, fmt.Errorf("rewrite: %d rules; at most %d are allowed", len(rules), maxRules)
	}
	out := make([]*rule, len(rules))
	for i, r := range rules {
		var err error
		if r.compiled == nil {
			err = r.Compile()
		}
		if err == nil {
			out[i], err = r.ready(fold)
		}
		if err != nil {
			return nil, fmt.Errorf("rewrite: rule %d: %w", i+1, err)
		}
	}
	return out, nil
}

// ready returns a compiled rule; with fold it ignores letter case.
func (r *Rule) ready(fold bool) (*rule, error) {
	out := &rule{Rule: *r, re: r.compiled.re, want: r.Match != "", to: r.compiled.to}
	if !fold {
		return out, nil
	}
	out.re = r.compiled.folded
	if r.Repeat {
		if err := endless(out.re, out.to); err != nil {
			return nil, fmt.Errorf("%w (ignore_case is on)", err)
		}
	}
	return out, nil
}
