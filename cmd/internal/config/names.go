package config

import (
	"errors"
	"fmt"

	"github.com/goccy/go-yaml/ast"

	"dcs/render/lint"
	"dcs/render/naming"
)

// Names configures how requested names are read.
type Names struct {
	Backslash  bool
	IgnoreCase bool
	Roots      []string // absolute
	Rewrite    []naming.Rule
}

// parseRoot parses a root directory of another server, on any operating system.
func parseRoot(s string) (string, error) {
	if s == "" || s[0] != '/' && s[0] != '\\' {
		return "", fmt.Errorf("%q is not an absolute path such as /tftpboot", s)
	}
	return s, nil
}

// parseRule parses the id of a rule of lint that may be left out.
func parseRule(s string) (string, error) {
	if r := lint.ByID(s); r == nil || !r.Optional() {
		return "", fmt.Errorf("%q is no rule that can be left out; dcs check --rules lists them", s)
	}
	return s, nil
}

// parseClass parses the name of a service class (RFC 4323: 1 to 15 characters).
func parseClass(s string) (string, error) {
	if len(s) < 1 || len(s) > 15 {
		return "", fmt.Errorf("%q is not a name of 1 to 15 characters", s)
	}
	return s, nil
}

// rules returns the field for a list of rules that rewrite names.
func rules(p *[]naming.Rule) field {
	const want = `a list of rules such as "- {match: ^/tftpboot/, to: ''}"`
	return field{
		list: true, structured: true, want: want,
		reset: func() { *p = nil },
		value: func() any { return *p },
		node: func(r *reader, n ast.Node) {
			seq, ok := n.(*ast.SequenceNode)
			if !ok {
				r.fail(n, "rewrite: unexpected %s; expected %s", describe(n), want)
				return
			}
			for _, item := range seq.Values {
				r.rule(p, item)
			}
			if _, err := naming.New(naming.Config{Rewrite: *p}); err != nil && len(r.errs) == 0 {
				r.fail(n, "%v", err)
			}
		},
	}
}

// rule reads one rule.
func (r *reader) rule(p *[]naming.Rule, n ast.Node) {
	pairs := pairsOf(n)
	if pairs == nil {
		r.fail(n, "unexpected %s; expected a rule such as \"{match: ^/tftpboot/, to: ''}\"", describe(n))
		return
	}
	var rule naming.Rule
	expression := func(to *string) field {
		return one(to, "expression", "a regular expression (RE2) in quotes", textOrInteger, func(s string) (string, error) {
			if s == "" {
				return "", errors.New("empty expression, which would match every name")
			}
			return s, nil
		})
	}
	replacement := one(&rule.To, "text", "the text that replaces what match has found", textOrInteger, func(s string) (string, error) {
		rule.Rewrite = true
		return s, nil
	})
	inner := &reader{name: r.name, dir: r.dir, keys: []Key{
		{Name: "match", field: expression(&rule.Match)},
		{Name: "unless", field: expression(&rule.Unless)},
		{Name: "to", field: replacement},
		{Name: "repeat", field: boolean(&rule.Repeat)},
		{Name: "last", field: boolean(&rule.Last)},
		{Name: "refuse", field: boolean(&rule.Refuse)},
	}}
	for _, pair := range pairs {
		inner.pair(pair)
	}
	if err := rule.Compile(); err != nil && len(inner.errs) == 0 {
		inner.fail(n, "rewrite: %v", err)
	}
	r.errs = append(r.errs, inner.errs...)
	*p = append(*p, rule)
}
