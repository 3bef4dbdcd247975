package naming

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
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

// A piece of a replacement is text or a group, written as its letter case says.
type piece struct {
	text  string
	group int // -1: text
	to    letters
}

type letters byte

const (
	asIs letters = iota
	upperCase
	lowerCase
)

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

// pieces reads a replacement.
func pieces(to string, re *regexp.Regexp) ([]piece, error) {
	var out []piece
	mode := asIs
	text := func(s string) {
		if n := len(out) - 1; n >= 0 && out[n].group < 0 && out[n].to == mode {
			out[n].text += s
		} else {
			out = append(out, piece{s, -1, mode})
		}
	}
	for to != "" {
		at := strings.IndexAny(to, `$\`)
		if at < 0 {
			text(to)
			break
		}
		if at > 0 {
			text(to[:at])
		}
		mark, rest := to[at], to[at+1:]
		if rest == "" {
			return nil, fmt.Errorf("nothing behind the last %c; %c%c stands for one", mark, mark, mark)
		}
		to = rest[1:]
		switch {
		case rest[0] == mark:
			text(string(mark))
		case mark == '\\':
			m, known := map[byte]letters{'U': upperCase, 'L': lowerCase, 'E': asIs}[rest[0]]
			if !known {
				return nil, fmt.Errorf(`\%c is none of \U, \L, \E and \\`, rest[0])
			}
			mode = m
		default:
			name, behind, err := groupName(rest)
			if err != nil {
				return nil, err
			}
			group := re.SubexpIndex(name)
			if '0' <= name[0] && name[0] <= '9' {
				group = int(name[0] - '0')
			}
			if group < 0 || group > re.NumSubexp() {
				return nil, fmt.Errorf("$%s is no group of the expression", name)
			}
			out = append(out, piece{"", group, mode})
			to = behind
		}
	}
	return out, nil
}

// groupName takes the name of a group off the front of s: a digit, letters, or either in braces.
func groupName(s string) (name, rest string, err error) {
	if s[0] == '{' {
		name, rest, ok := strings.Cut(s[1:], "}")
		if !ok || name == "" || '0' <= name[0] && name[0] <= '9' && len(name) > 1 {
			return "", "", errors.New("${ is followed by a group's name or digit and }")
		}
		return name, rest, nil
	}
	if '0' <= s[0] && s[0] <= '9' {
		return s[:1], s[1:], nil
	}
	end := strings.IndexFunc(s, func(c rune) bool {
		return c != '_' && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9')
	})
	if end < 0 {
		end = len(s)
	}
	if end == 0 {
		return "", "", errors.New("$ is followed by a digit, a group's name or another $")
	}
	return s[:end], s[end:], nil
}

// rewritten applies the rules to a name. It allocates if one of them rewrites it.
func (r *Rules) rewritten(name []byte) ([]byte, Refusal) {
	for _, u := range r.rewrite {
		applies := false
		for pass := 0; ; pass++ {
			if pass == maxPasses {
				return nil, Endless
			}
			found := u.re.FindSubmatchIndex(name)
			if (found != nil) != u.want {
				break
			}
			if applies = true; u.Refuse {
				return nil, Refused
			}
			if !u.Rewrite {
				break
			}
			if name = u.replace(name, found); len(name) > MaxName {
				return nil, TooLong
			}
			if !u.Repeat {
				break
			}
		}
		if applies && u.Last {
			break
		}
	}
	return name, Allowed
}

// replace returns a name with the replacement in the place of what was found or, if the rule repeats, of all that is to be found.
func (u *rule) replace(name []byte, found []int) []byte {
	all := [][]int{found}
	if u.Repeat {
		all = u.re.FindAllSubmatchIndex(name, -1)
	}
	var out []byte
	at := 0
	for _, found := range all {
		out = append(out, name[at:found[0]]...)
		for _, p := range u.to {
			text := []byte(p.text)
			if p.group >= 0 {
				if text = nil; found[2*p.group] >= 0 {
					text = name[found[2*p.group]:found[2*p.group+1]]
				}
			}
			out = p.to.append(out, text)
		}
		if at = found[1]; len(out) > MaxName {
			break
		}
	}
	return append(out, name[at:]...)
}

func (l letters) append(dst, text []byte) []byte {
	for _, c := range text {
		switch {
		case l == upperCase && 'a' <= c && c <= 'z':
			c -= 'a' - 'A'
		case l == lowerCase:
			c = lower(c)
		}
		dst = append(dst, c)
	}
	return dst
}
