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

// description says how one make of CMTS is told its secrets: by a dialogue or by a MIB. doc/cmts.md of cmd/dcs explains the keys.
type description struct {
	Title string `yaml:"title"`
	Slots int    `yaml:"slots"`

	Secret   secretRules       `yaml:"secret"`
	Vars     map[string]string `yaml:"vars"`
	Dialogue *dialogue         `yaml:"dialogue"`
	MIB      *mib              `yaml:"mib"`

	perInterface bool
}

// dialogue is a conversation with a command line.
type dialogue struct {
	LineEnd string   `yaml:"line_end"`
	Prompt  pattern  `yaml:"prompt"`
	Login   []answer `yaml:"login"`
	Pager   answer   `yaml:"pager"`
	Errors  patterns `yaml:"errors"`

	Start   []step `yaml:"start"`   // after login
	Set     []step `yaml:"set"`     // make the secret the primary one
	Add     []step `yaml:"add"`     // make it the secondary one
	Promote []step `yaml:"promote"` // make it the primary and only one
	Clear   []step `yaml:"clear"`   // leave none
	Save    []step `yaml:"save"`    // to permanent storage, after each change
	Verify  []step `yaml:"verify"`
}

// step sends one line and waits for the prompt, or repeats steps for every interface.
type step struct {
	Send     string        `yaml:"send"`
	When     pattern       `yaml:"when"`     // only if the prompt at hand matches
	Expect   pattern       `yaml:"expect"`   // what the prompt must match afterwards
	Answers  []answer      `yaml:"answers"`  // what may be asked before the prompt comes
	Tolerate patterns      `yaml:"tolerate"` // errors that do not matter here
	Timeout  time.Duration `yaml:"timeout"`
	Read     *reading      `yaml:"read"`

	Interfaces []step `yaml:"interfaces"`
}

// UnmarshalYAML takes a line alone, too.
func (s *step) UnmarshalYAML(decode func(any) error) error {
	if decode(&s.Send) == nil {
		return nil
	}
	type plain step
	return decode((*plain)(s))
}

// asksPassword tells whether one is sent if the CMTS wants it.
func (s *step) asksPassword() bool {
	return slices.ContainsFunc(s.Answers, func(a answer) bool {
		return slices.ContainsFunc(variables(a.Send), func(v string) bool { return v == varPassword || v == varEnable })
	})
}

type answer struct {
	Expect pattern `yaml:"expect"`
	Send   string  `yaml:"send"`
}

// reading finds the secrets in what a command prints, line by line.
type reading struct {
	Clear  pattern `yaml:"clear"`  // its group secret is the text itself
	Hidden pattern `yaml:"hidden"` // a slot that is filled; its group type7, if any, is in Cisco's reversible encoding
}

// mib is where an agent keeps its secrets.
type mib struct {
	// Places are first where the secret stands, second where the next one waits, third a spare one for agents that do
	// not change a row in place.
	Places   []place `yaml:"places"`
	Readable bool    `yaml:"readable"` // whether GET returns the text
}

type place struct {
	Value  string `yaml:"value"`  // OID of an octet string
	Status string `yaml:"status"` // OID of its RowStatus (RFC 2579); without one, the value is a scalar, and empty when there is none
}

// pattern is a regular expression; the zero pattern is none.
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

// Descriptions returns the names of the descriptions that Open would find.
func Descriptions(dirs []string) []string {
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

// findDescription reads the description called name from the first of dirs that has it, or from what is built in.
func findDescription(name string, dirs []string) (*description, error) {
	if !descriptionName.MatchString(name) {
		return nil, fmt.Errorf("driver %q is not the name of a description", name)
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
		return nil, fmt.Errorf("driver %q: no such description; there are %s", name, strings.Join(Descriptions(dirs), ", "))
	}
	return parseDescription(name+".yaml", src)
}

// decodeYAML is strict, and says file:line:column.
func decodeYAML(file string, src []byte, into any) error {
	if err := strictyaml.Decode(src, into); err != nil {
		return fmt.Errorf("%s:%w", file, err)
	}
	return nil
}

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

// readable tells whether verify may find a secret's text.
func (g *dialogue) readable() bool {
	var any func([]step) bool
	any = func(steps []step) bool {
		return slices.ContainsFunc(steps, func(s step) bool {
			return s.Read != nil && s.Read.Clear.Regexp != nil || any(s.Interfaces)
		})
	}
	return any(g.Verify)
}
