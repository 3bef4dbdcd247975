package naming

import (
	"errors"
	"fmt"
	"regexp"
)

// A Rule rewrites names in which an expression (RE2) is found, or is not found.
type Rule struct {
	Match  string // what is looked for, anywhere in the name unless it says ^ or $
	Unless string // instead of Match: the rule applies where this is not found
	// To takes the place of what Match has found first, if Rewrite: $0 is all of that, $1 to $9, $name and ${name} are its groups, $$ is
	// a dollar sign. Letters behind \U are written in upper case, behind \L in lower case, up to \E; \\ is a backslash.
	To      string
	Rewrite bool
	Repeat  bool // To takes the place of all that Match finds, until it finds no more
	Last    bool // no rule behind this one applies
	Refuse  bool // the name gets no file
}

const (
	maxRules = 100
	// maxPasses is how often a rule goes through a name until it is found to be endless: a name that anybody may make up must not
	// cost more than some microseconds for each rule.
	maxPasses = 32
)

type rule struct {
	Rule
	re   *regexp.Regexp
	want bool // the expression has to be found
	to   []piece
}

// Check finds what is wrong with a rule.
func (r *Rule) Check() error {
	_, err := r.compile(false)
	return err
}

func compile(rules []Rule, fold bool) ([]*rule, error) {
	if len(rules) > maxRules {
		return nil, fmt.Errorf("rewrite: %d rules, and at most %d are read", len(rules), maxRules)
	}
	out := make([]*rule, len(rules))
	for i := range rules {
		var err error
		if out[i], err = rules[i].compile(fold); err != nil {
			return nil, fmt.Errorf("rewrite: rule %d: %w", i+1, err)
		}
	}
	return out, nil
}

func (r *Rule) compile(fold bool) (*rule, error) {
	out := &rule{Rule: *r, want: r.Match != ""}
	source := r.Match + r.Unless
	switch {
	case (r.Match == "") == (r.Unless == ""):
		return nil, errors.New("either match or unless says which names are meant")
	case r.Unless != "" && r.Rewrite:
		return nil, errors.New("unless finds nothing that to could replace; use match")
	case r.Refuse && (r.Rewrite || r.Last):
		return nil, errors.New("refuse is the end: it goes with neither to nor last")
	case r.Repeat && !r.Rewrite:
		return nil, errors.New("repeat needs to")
	case !r.Rewrite && !r.Last && !r.Refuse:
		return nil, errors.New("no effect; say to, last or refuse")
	case len(source) > MaxName:
		return nil, fmt.Errorf("expression is longer than %d octets", MaxName)
	}
	var err error
	if out.re, err = regexp.Compile(source); err != nil {
		return nil, err
	}
	if r.Repeat && out.re.MatchString("") {
		return nil, fmt.Errorf("%s is found in every name, so that it would be repeated without end", source)
	}
	if out.to, err = pieces(r.To, out.re); err != nil {
		return nil, fmt.Errorf("to: %w", err)
	}
	if fold {
		out.re, err = regexp.Compile("(?i)" + source)
	}
	return out, err
}
