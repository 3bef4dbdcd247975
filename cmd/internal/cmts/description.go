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
	"dcs/render/secret"
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

type secretRules struct {
	MaxLength  int               `yaml:"max_length"`
	Characters pattern           `yaml:"characters"` // matches one character that may be sent
	Quote      string            `yaml:"quote"`      // written before and after
	Escape     map[string]string `yaml:"escape"`     // a character, and how it is written
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

// The variables that are there without being declared.
const (
	varSecret    = "secret"
	varInterface = "interface"
	varUser      = "user"
	varPassword  = "password"
	varEnable    = "enable_password"
)

func (d *description) check() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.Slots < 1 || d.Slots > 2 {
		fail("slots is %d: a CMTS holds 1 secret at once, or 2", d.Slots)
	}
	if d.Secret.MaxLength < 1 {
		fail("secret.max_length is not set")
	}
	if d.Secret.Characters.Regexp == nil {
		fail("secret.characters is not set: it says what a secret may be made of, such as '[A-Za-z0-9]'")
	}
	for c := range d.Secret.Escape {
		if len([]rune(c)) != 1 {
			fail("secret.escape: %q is not one character", c)
		}
	}
	known := map[string]bool{}
	for name := range d.Vars {
		known[name] = true
	}
	text := func(where, s string, allowed ...string) {
		for _, name := range variables(s) {
			switch {
			case name == varInterface && slices.Contains(allowed, name):
				d.perInterface = true
			case !known[name] && !slices.Contains(allowed, name):
				fail("%s: {{%s}} is not known here", where, name)
			}
		}
	}
	switch {
	case (d.Dialogue == nil) == (d.MIB == nil):
		fail("there must be either a dialogue or a mib")
	case d.MIB != nil:
		if n := len(d.MIB.Places); n < d.Slots || n > 3 {
			fail("mib.places has %d places: one is needed for each slot, and one may be spare", n)
		}
		for i, p := range d.MIB.Places {
			at := fmt.Sprintf("mib.places[%d]", i)
			if p.Value == "" {
				fail("%s: no value", at)
			}
			text(at, p.Value, varInterface)
			text(at, p.Status, varInterface)
		}
	default:
		d.Dialogue.check(fail, text)
		if d.Slots == 2 && (len(d.Dialogue.Add) == 0 || len(d.Dialogue.Promote) == 0) {
			fail("dialogue: add and promote are needed for two slots")
		}
	}
	return errs
}

func (g *dialogue) check(fail func(string, ...any), text func(string, string, ...string)) {
	if g.Prompt.Regexp == nil || g.Prompt.SubexpIndex("host") < 0 {
		fail("dialogue.prompt must be an expression with a group (?P<host>…)")
	}
	if g.LineEnd == "" {
		g.LineEnd = "\n"
	}
	answers := func(where string, list []answer) {
		for _, a := range list {
			if a.Expect.Regexp == nil {
				fail("%s: an answer without expect", where)
			}
			text(where, a.Send, varUser, varPassword, varEnable)
		}
	}
	answers("dialogue.login", g.Login)
	var walk func(where string, steps []step, allowed ...string)
	walk = func(where string, steps []step, allowed ...string) {
		for i, s := range steps {
			at := fmt.Sprintf("%s[%d]", where, i)
			if len(s.Interfaces) > 0 {
				if s.Send != "" || s.Read != nil || s.When.Regexp != nil {
					fail("%s: interfaces stands alone in its step", at)
				}
				walk(at+".interfaces", s.Interfaces, append(slices.Clone(allowed), varInterface)...)
				continue
			}
			if s.Send == "" {
				fail("%s: nothing to send", at)
			}
			if s.Timeout < 0 {
				fail("%s: timeout is negative", at)
			}
			text(at, s.Send, allowed...)
			answers(at+".answers", s.Answers)
			if s.Read == nil {
				continue
			}
			if s.Read.Clear.Regexp == nil && s.Read.Hidden.Regexp == nil {
				fail("%s.read: neither clear nor hidden", at)
			}
			if c := s.Read.Clear; c.Regexp != nil && c.SubexpIndex(varSecret) < 0 {
				fail("%s.read.clear has no group (?P<secret>…)", at)
			}
		}
	}
	if len(g.Set) == 0 || len(g.Clear) == 0 {
		fail("dialogue: set and clear are needed")
	}
	walk("dialogue.start", g.Start)
	walk("dialogue.set", g.Set, varSecret)
	walk("dialogue.add", g.Add, varSecret)
	walk("dialogue.promote", g.Promote, varSecret)
	walk("dialogue.clear", g.Clear)
	walk("dialogue.save", g.Save)
	walk("dialogue.verify", g.Verify)
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

var variable = regexp.MustCompile(`\{\{\s*([a-z_0-9]*)\s*\}\}`)

func variables(s string) (names []string) {
	for _, m := range variable.FindAllStringSubmatch(s, -1) {
		names = append(names, m[1])
	}
	return names
}

// expand fills in the variables, once: what they hold is not looked at again.
func expand(s string, vars map[string]string) string {
	return variable.ReplaceAllStringFunc(s, func(m string) string {
		return vars[variable.FindStringSubmatch(m)[1]]
	})
}

// checkSecret tells why a CMTS with these rules would not take a secret, without saying what is in it.
func (r *secretRules) check(secret secret.Text) error {
	text := secret.Reveal()
	switch {
	case text == "":
		return errors.New("the secret is empty")
	case len(text) > r.MaxLength:
		return fmt.Errorf("the secret has %d octets, and this CMTS takes %d", len(text), r.MaxLength)
	}
	for i, c := range text {
		// Control characters would end the line, or edit it.
		if c < ' ' || c == 0x7f || c == '\uFFFD' {
			return fmt.Errorf("character %d of the secret is a control character", i+1)
		}
		if one := string(c); r.Escape[one] == "" && (!r.Characters.MatchString(one) || one == r.Quote) {
			return fmt.Errorf("character %d of the secret cannot be given to this CMTS (%s)", i+1, kindOf(c))
		}
	}
	return nil
}

// kindOf describes a character well enough to find it, and no better.
func kindOf(c rune) string {
	switch {
	case c == ' ':
		return "a space"
	case c == '"' || c == '\'' || c == '`':
		return "a quotation mark"
	case c > 0x7e:
		return "not ASCII"
	case c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9':
		return "a letter or digit"
	}
	return "a punctuation mark"
}

// write returns the secret as a command line has it.
func (r *secretRules) write(secret secret.Text) string {
	var b strings.Builder
	b.WriteString(r.Quote)
	for _, c := range secret.Reveal() {
		if esc := r.Escape[string(c)]; esc != "" {
			b.WriteString(esc)
		} else {
			b.WriteRune(c)
		}
	}
	b.WriteString(r.Quote)
	return b.String()
}
