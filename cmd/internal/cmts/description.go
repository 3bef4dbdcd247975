package cmts

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"dcs/cmd/internal/strictyaml"
)

//go:embed descriptions/*.yaml
var builtIn embed.FS

// description says how the secrets of one make are set: by a dialogue or a MIB. Page cmts of the manual explains the keys.
type description struct {
	Title string `yaml:"title"`
	Slots int    `yaml:"slots"`

	Secret   secretRules       `yaml:"secret"`
	Vars     map[string]string `yaml:"vars"`
	Dialogue *dialogue         `yaml:"dialogue"`
	MIB      *mib              `yaml:"mib"`

	perInterface bool
}

// dialogue is the use of a command line.
type dialogue struct {
	LineEnd string   `yaml:"line_end"`
	Prompt  pattern  `yaml:"prompt"`
	Login   []answer `yaml:"login"`
	Pager   answer   `yaml:"pager"`
	Errors  patterns `yaml:"errors"`

	Start   []step `yaml:"start"`   // after login
	Set     []step `yaml:"set"`     // set the primary secret
	Add     []step `yaml:"add"`     // set the secondary secret
	Promote []step `yaml:"promote"` // set the primary secret, then remove the secondary one
	Clear   []step `yaml:"clear"`   // remove all secrets
	Save    []step `yaml:"save"`    // save the configuration, after each change
	Verify  []step `yaml:"verify"`
}

// step sends a line and waits for the prompt, or repeats steps for each interface.
type step struct {
	Send     string        `yaml:"send"`
	When     pattern       `yaml:"when"`     // only if the present prompt matches
	Expect   pattern       `yaml:"expect"`   // what the prompt must match afterwards
	Answers  []answer      `yaml:"answers"`  // to questions before the prompt
	Tolerate patterns      `yaml:"tolerate"` // errors to ignore
	Timeout  time.Duration `yaml:"timeout"`
	Read     *reading      `yaml:"read"`

	Interfaces []step `yaml:"interfaces"`
}

// UnmarshalYAML also accepts a plain line.
func (s *step) UnmarshalYAML(decode func(any) error) error {
	if decode(&s.Send) == nil {
		return nil
	}
	type plain step
	return decode((*plain)(s))
}

// asksPassword reports whether the answers include a password.
func (s *step) asksPassword() bool {
	return slices.ContainsFunc(s.Answers, func(a answer) bool {
		return slices.ContainsFunc(variables(a.Send), func(v string) bool { return v == varPassword || v == varEnable })
	})
}

// answer answers a question.
type answer struct {
	Expect pattern `yaml:"expect"`
	Send   string  `yaml:"send"`
}

// reading finds secrets in the output of a command, line by line.
type reading struct {
	Clear  pattern `yaml:"clear"`  // its group secret is the text
	Hidden pattern `yaml:"hidden"` // a slot in use; its group type7, if any, is the text in Cisco's reversible encoding
}

// mib says in which objects an agent has its secrets.
type mib struct {
	// Places are those of the primary secret, the secondary one, and optionally a spare one for agents that do not change
	// a row in place.
	Places   []place `yaml:"places"`
	Readable bool    `yaml:"readable"` // whether GET returns the text
}

// place is the place of one secret.
type place struct {
	Value  string `yaml:"value"`  // OID of an octet string
	Status string `yaml:"status"` // OID of its RowStatus (RFC 2579); empty: the value is a scalar, which is empty without a secret
}

// pattern is a regular expression; the zero pattern matches nothing.
type pattern struct{ *regexp.Regexp }

// UnmarshalYAML compiles the expression.
func (p *pattern) UnmarshalYAML(decode func(any) error) error {
	var text string
	err := decode(&text)
	if err == nil {
		p.Regexp, err = regexp.Compile(text)
	}
	return err
}

func (p pattern) matches(s string) bool { return p.Regexp != nil && p.MatchString(s) }

type patterns []pattern

func (ps patterns) match(s string) bool {
	return slices.ContainsFunc(ps, func(p pattern) bool { return p.matches(s) })
}

// descriptionNames returns the names of the descriptions that Open finds.
func descriptionNames(dirs []string) []string {
	found := map[string]bool{}
	list := func(entries []fs.DirEntry, err error) {
		for _, e := range entries {
			if name, ok := strings.CutSuffix(e.Name(), ".yaml"); ok && err == nil {
				found[name] = true
			}
		}
	}
	list(builtIn.ReadDir("descriptions"))
	for _, dir := range dirs {
		list(os.ReadDir(dir))
	}
	return slices.Sorted(maps.Keys(found))
}

var descriptionName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`)

// findDescription reads a description from the first of dirs that has it, else the built-in one.
func findDescription(name string, dirs []string) (*description, error) {
	if !descriptionName.MatchString(name) {
		return nil, fmt.Errorf("driver: %q is not a name of a description", name)
	}
	for _, dir := range dirs {
		file := filepath.Join(dir, name+".yaml")
		src, err := strictyaml.ReadFile(file)
		switch {
		case err == nil:
			return parseDescription(file, src)
		case !errors.Is(err, fs.ErrNotExist):
			return nil, err
		}
	}
	src, err := builtIn.ReadFile("descriptions/" + name + ".yaml")
	if err != nil {
		return nil, fmt.Errorf("driver: no description %q; want one of: %s", name, strings.Join(descriptionNames(dirs), ", "))
	}
	return parseDescription(name+".yaml", src)
}

// decodeYAML decodes strictly. Errors begin with file:line:column.
func decodeYAML(file string, src []byte, into any) error {
	if err := strictyaml.Decode(src, into); err != nil {
		return fmt.Errorf("%s:%w", file, err)
	}
	return nil
}

// parseDescription reads and checks a description; file is the name in errors.
func parseDescription(file string, src []byte) (*description, error) {
	var d description
	if err := decodeYAML(file, src, &d); err != nil {
		return nil, err
	}
	if errs := d.check(); len(errs) > 0 {
		for i := range errs {
			errs[i] = fmt.Errorf("%s: %w", file, errs[i])
		}
		return nil, errors.Join(errs...)
	}
	return &d, nil
}

// readable reports whether verify can read the text of a secret.
func (g *dialogue) readable() bool {
	var any func([]step) bool
	any = func(steps []step) bool {
		return slices.ContainsFunc(steps, func(s step) bool {
			return s.Read != nil && s.Read.Clear.Regexp != nil || any(s.Interfaces)
		})
	}
	return any(g.Verify)
}
