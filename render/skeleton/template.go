package skeleton

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Env is what a library's templates have in common. All templates are made by one
// goroutine; afterwards any number may specialize them, and so call Env's functions at once.
type Env struct {
	MIB     *mib.Index
	Schema  *attr.Schema // the attributes that devices may have
	Lenient bool         // keywords resolve as in the open encoder, with a warning

	Timestamp    bool // every modem's file that lacks TLV 19 gets one
	ModemAddress bool // every modem's file that lacks TLVs 20 and 59 gets one, by the family of the request

	// Include finds what an include at a place means; word tells that the name stood there
	// without quotes, and so names a Block. Candidates finds all that a name with
	// variables could mean: names made of the pieces, with anything between them. Its Choices
	// are shared: they are the same, by address, for all places that they are the same for.
	Include    func(at syntax.Pos, name string, word bool) (*syntax.Item, error)
	Candidates func(at syntax.Pos, pieces []string) []*Choices
	// ReadFile reads a certificate, a digit map or a text that a place names.
	ReadFile func(at syntax.Pos, name string) ([]byte, error)
	// Path tells where ReadFile has found a file: what its errors are told by.
	Path func(at syntax.Pos, name string) string
	Warn func(at syntax.Pos, msg string) // may be nil

	// memo holds what is constant, encoded: New writes it, Specialize reads it.
	memo    map[memoKey][]byte
	checked map[*syntax.Item]bool // what a template includes by its name
	reach   *reach
	sites   *sites // nil until Seal
}

// A Template is an item of a library, checked, with everything constant in it encoded.
// It is immutable; any number of goroutines may specialize it.
type Template struct {
	Item *syntax.Item
	Kind Kind

	env        *Env
	groups     []string // names of the pattern's groups by number; "" for group 0 and nameless ones
	structural []int
	attributes bool
	waiting    bool
	families   bool // the modem's address is stamped in by family
	source     []byte
	sourcePath string
}

// New checks an item and makes a template of it. groups are the names of its pattern's
// groups by number, as regexp.SubexpNames gives them; nil for a literal name. The error is
// a syntax.Errors with all that is wrong.
func New(env *Env, it *syntax.Item, groups []string) (*Template, error) {
	env.prepare()
	t := &Template{Item: it, env: env, groups: groups}
	c := t.checker()
	for i, g := range groups {
		if builtin(g) && g != "mac" {
			c.errorf(it.NamePos, "group %d is called %s, but $%s is built in and always has a value; give it another name", i, g, g)
		}
	}
	t.Kind = c.kind(it)
	switch it.Kind {
	case syntax.Text, syntax.Binary:
		c.fromFile(it)
	default:
		c.template(it)
	}
	slices.Sort(t.structural)
	t.waiting = c.waits
	c.bounded()
	if len(c.errs) == 0 && groups != nil && !c.b.local { // the same for all names
		if _, fault := c.skeleton(""); fault != nil {
			c.errorf(fault.Pos, "%s", fault.why())
		}
	}
	if len(c.errs) > 0 {
		return nil, syntax.Errors(c.errs)
	}
	return t, nil
}

func (e *Env) prepare() {
	if e.memo == nil {
		e.memo, e.checked = map[memoKey][]byte{}, map[*syntax.Item]bool{}
		e.reach = newReach(e)
	}
}

// compiler returns a compiler without a pass.
func (t *Template) compiler() *compiler {
	c := &compiler{t: t, env: t.env, b: builder{changed: -1}, stack: []*syntax.Item{t.Item}}
	c.enc = tlv.Encoder{
		MIB:     t.env.MIB,
		Dialect: t.dialect(),
		Lenient: t.env.Lenient,
		ReadFile: func(name string) ([]byte, error) {
			return t.env.ReadFile(c.pos, name)
		},
		Warn: func(msg string) { c.warnf(c.pos, "%s", msg) },
	}
	return c
}

func (t *Template) dialect() tlv.Dialect { return dialectOf(t.Kind) }

func dialectOf(k Kind) tlv.Dialect {
	switch k {
	case MTAFile:
		return tlv.MTA
	case PortalFile:
		return tlv.PS
	}
	return tlv.CM
}

// kind tells what sort of file an item makes. A Main is an MTA's if MtaConfigDelimiter comes first.
func (c *compiler) kind(it *syntax.Item) Kind {
	switch it.Kind {
	case syntax.Text:
		return PlainFile
	case syntax.Binary:
		if it.Resign {
			return ModemFile
		}
		return PlainFile
	case syntax.Mta:
		return MTAFile
	case syntax.CableHome:
		return PortalFile
	case syntax.Main:
		if st := c.first(it, nil); st != nil && strings.EqualFold(st.Keyword, "MtaConfigDelimiter") {
			return MTAFile
		}
	}
	return ModemFile
}

// first returns the setting that an item's file begins with, looking into includes. Items
// in seen have none.
func (c *compiler) first(it *syntax.Item, seen map[*syntax.Item]bool) *syntax.Setting {
	for _, st := range it.Body {
		switch st := st.(type) {
		case *syntax.Setting:
			return st
		case *syntax.Select, *syntax.Reject:
			return nil
		case *syntax.Include:
			in := c.env.included(st)
			if in == nil {
				return nil // an error is told when the include is compiled
			}
			if seen == nil {
				seen = map[*syntax.Item]bool{}
			}
			if seen[in] {
				continue // or goes round in a circle, which is told then too
			}
			seen[in] = true
			if found := c.first(in, seen); found != nil {
				return found
			}
		}
	}
	return nil
}

const mtaDelimiter = 254

// Structural lists the attributes, by schema index, that a name is specialized for.
func (t *Template) Structural() []int { return t.structural }

// Attributes tells whether the template reads any attribute of the device.
func (t *Template) Attributes() bool { return t.attributes }

// Waiting tells whether the template reads a variable that nothing gives a value, and that may be an attribute which the
// schema, being partial, does not have yet. Such a template is not specialized.
func (t *Template) Waiting() bool { return t.waiting }

// Families tells whether a name is specialized for IPv4 and IPv6 apart.
func (t *Template) Families() bool { return t.families }

// group returns the number of the pattern's group that $name means.
func (t *Template) group(name string) (int, bool) {
	if n, err := strconv.Atoi(name); err == nil {
		return n, n > 0 && n < len(t.groups)
	}
	i := slices.Index(t.groups, name)
	return i, i > 0
}

func (t *Template) groupsText() string {
	switch n := len(t.groups) - 1; {
	case n < 0:
		return fmt.Sprintf("%s has no pattern to capture it", itemName(t.Item))
	case n == 0:
		return "the pattern has no groups"
	default:
		var named []string
		for _, g := range t.groups[1:] {
			if g != "" {
				named = append(named, "$"+g)
			}
		}
		if len(named) == 0 {
			return fmt.Sprintf("the pattern has groups $1 to $%d", n)
		}
		return fmt.Sprintf("the pattern has groups $1 to $%d, of which %s", n, strings.Join(named, ", "))
	}
}
