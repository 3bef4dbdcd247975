package cmts

import (
	"fmt"
	"slices"
)

// Predefined variables.
const (
	varSecret    = "secret"
	varInterface = "interface"
	varUser      = "user"
	varPassword  = "password"
	varEnable    = "enable_password"
)

// check returns what is wrong with a description.
func (d *description) check() (errs []error) {
	fail := func(format string, args ...any) { errs = append(errs, fmt.Errorf(format, args...)) }
	if d.Slots < 1 || d.Slots > 2 {
		fail("slots: %d: want 1 or 2", d.Slots)
	}
	if d.Secret.MaxLength < 1 {
		fail("secret.max_length is not set")
	}
	if d.Secret.Characters.Regexp == nil {
		fail("secret.characters is not set; it matches the characters of a secret, such as '[A-Za-z0-9]'")
	}
	for c := range d.Secret.Escape {
		if len([]rune(c)) != 1 {
			fail("secret.escape: %q: want one character", c)
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
				fail("%s: unknown variable {{%s}}", where, name)
			}
		}
	}
	switch {
	case (d.Dialogue == nil) == (d.MIB == nil):
		fail("want either dialogue or mib")
	case d.MIB != nil:
		if n := len(d.MIB.Places); n < d.Slots || n > 3 {
			fail("mib.places: %d places; want one for each slot, and optionally a spare one", n)
		}
		for i, p := range d.MIB.Places {
			at := fmt.Sprintf("mib.places[%d]", i)
			if p.Value == "" {
				fail("%s: value is not set", at)
			}
			text(at, p.Value, varInterface)
			text(at, p.Status, varInterface)
		}
	default:
		d.Dialogue.check(fail, text)
		if d.Slots == 2 && (len(d.Dialogue.Add) == 0 || len(d.Dialogue.Promote) == 0) {
			fail("dialogue: two slots need add and promote")
		}
	}
	return errs
}

func (g *dialogue) check(fail func(string, ...any), text func(string, string, ...string)) {
	if g.Prompt.Regexp == nil || g.Prompt.SubexpIndex("host") < 0 {
		fail("dialogue.prompt: want an expression with a group (?P<host>…)")
	}
	if g.LineEnd == "" {
		g.LineEnd = "\n"
	}
	answers := func(where string, list []answer) {
		for _, a := range list {
			if a.Expect.Regexp == nil {
				fail("%s: answer without expect", where)
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
					fail("%s: a step with interfaces has no other keys", at)
				}
				walk(at+".interfaces", s.Interfaces, append(slices.Clone(allowed), varInterface)...)
				continue
			}
			if s.Send == "" {
				fail("%s: send is not set", at)
			}
			if s.Timeout < 0 {
				fail("%s: timeout: negative", at)
			}
			text(at, s.Send, allowed...)
			answers(at+".answers", s.Answers)
			if s.Read == nil {
				continue
			}
			if s.Read.Clear.Regexp == nil && s.Read.Hidden.Regexp == nil {
				fail("%s.read: neither clear nor hidden is set", at)
			}
			if c := s.Read.Clear; c.Regexp != nil && c.SubexpIndex(varSecret) < 0 {
				fail("%s.read.clear has no group (?P<secret>…)", at)
			}
		}
	}
	if len(g.Set) == 0 || len(g.Clear) == 0 {
		fail("dialogue: set and clear are required")
	}
	walk("dialogue.start", g.Start)
	walk("dialogue.set", g.Set, varSecret)
	walk("dialogue.add", g.Add, varSecret)
	walk("dialogue.promote", g.Promote, varSecret)
	walk("dialogue.clear", g.Clear)
	walk("dialogue.save", g.Save)
	walk("dialogue.verify", g.Verify)
}
