package skeleton

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Env is what the templates of a library share. All templates are made by one goroutine, or each in a Fork; then any number may
// specialize them and thereby call Env's functions concurrently.
type Env struct {
	MIB     *mib.Index
	Schema  *attr.Schema // the attributes that devices may have
	Lenient bool         // keywords resolve as in the open encoder, with a warning

	Timestamp    bool // add TLV 19 to modem files without it
	ModemAddress bool // add TLV 20 or 59, by the family of the request, to modem files without either

	// Include finds the target of an include at a position; with word, the name was written without quotes and is that
	// of a Block. Candidates finds all possible targets of a name with variables: the names that consist of the pieces
	// with anything between them. Its Choices are shared: places with the same targets get the same pointers.
	Include    func(at syntax.Pos, name string, word bool) (*syntax.Item, error)
	Candidates func(at syntax.Pos, pieces []string) []*Choices
	// ReadFile reads a certificate, a digit map or a text that is named at a position.
	ReadFile func(at syntax.Pos, name string) ([]byte, error)
	// ReadHead reads the head of a firmware image, as [tlv.Encoder] has it. If nil, ReadFile does.
	ReadHead func(at syntax.Pos, name string) ([]byte, error)
	// Path returns the path of a file that ReadFile has read, for the positions of errors.
	Path func(at syntax.Pos, name string) string
	Warn func(at syntax.Pos, msg string) // may be nil

	// memo holds encoded constants until Seal. New writes to it; Specialize only reads it.
	memo    map[memoKey][]byte
	checked map[*syntax.Item]bool // the items that templates include by name
	reach   *reach
	sites   *sites // nil until Seal
	room    *room  // of a fork
	// bodies are those of Blocks, until Seal, since reach and memo know statements by their addresses. Not of a fork, which has no reach
	// that leads to others.
	bodies map[*syntax.Item][]syntax.Stmt
}

// A Template is a checked item of a library, with all its constants encoded. It is immutable; any number of goroutines
// may specialize it.
type Template struct {
	Item *syntax.Item
	Kind Kind

	env        *Env
	groups     []string // names of the pattern's groups by number; "" for group 0 and nameless ones
	structural []int
	attributes bool
	waiting    bool
	families   bool           // the TLV of the modem's address is added, by family
	fixed      *atomic.Uint64 // see Fixed; shared by what In returns
	source     []byte
	sourcePath string
}

// New checks an item and makes a template of it. groups are the names of the groups of its pattern by number, as
// returned by regexp.SubexpNames; nil for a literal name. The error is a syntax.Errors with all errors found.
func New(env *Env, it *syntax.Item, groups []string) (*Template, error) {
	env.prepare()
	env.begin(it)
	t := &Template{Item: it, env: env, groups: groups, fixed: new(atomic.Uint64)}
	c := t.checker()
	for i, g := range groups {
		if builtin(g) && g != "mac" {
			c.errorf(it.NamePos, "group %d is called %s, but $%s is built in and always has a value; give it another name", i, g, g)
		}
	}
	t.Kind = c.kind(it)
	if it.Idle.Line > 0 {
		c.warnf(it.Idle, "dcs:lenient has no effect here: it counts in a comment on the file's first line")
	}
	switch it.Kind {
	case syntax.Text, syntax.Binary:
		c.fromFile(it)
	default:
		c.template(it)
	}
	slices.Sort(t.structural)
	t.waiting = c.waits
	c.bounded()
	if c.common {
		return nil, ErrCommon
	}
	if len(c.errs) == 0 {
		c.hashed()
	}
	if len(c.errs) == 0 && groups != nil && !c.b.local { // the same for all names
		if _, fault := c.whole(); fault != nil {
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
		e.reach, e.bodies = newReach(e), map[*syntax.Item][]syntax.Stmt{}
	}
}

// compiler returns a compiler without a pass.
func (t *Template) compiler() *compiler {
	if t.env.room != nil {
		return t.env.room.compiler(t)
	}
	c := &compiler{t: t, env: t.env, b: builder{changed: -1}, stack: []*syntax.Item{t.Item}}
	c.enc = c.encoder()
	return c
}

func (c *compiler) encoder() tlv.Encoder {
	return tlv.Encoder{
		MIB:     c.env.MIB,
		Dialect: c.t.dialect(),
		ReadFile: func(name string) ([]byte, error) {
			return c.env.ReadFile(c.pos, name)
		},
		ReadHead: func(name string) ([]byte, error) {
			if c.env.ReadHead == nil {
				return c.env.ReadFile(c.pos, name)
			}
			return c.env.ReadHead(c.pos, name)
		},
		Warn: func(msg string) { c.warnf(c.pos, "%s", msg) },
	}
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

// kind returns the kind of file that an item makes. A Main is an MTA's file if MtaConfigDelimiter comes first.
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

// first returns the setting at the beginning of an item's file, following includes. Items in seen have none.
func (c *compiler) first(it *syntax.Item, seen map[*syntax.Item]bool) *syntax.Setting {
	for _, st := range c.env.statements(it) {
		switch st := st.(type) {
		case *syntax.Setting:
			return st
		case *syntax.Select, *syntax.Reject:
			return nil
		case *syntax.Include:
			in := c.env.included(st)
			if in == nil {
				return nil // the error is reported when the include is compiled
			}
			if seen == nil {
				seen = map[*syntax.Item]bool{}
			}
			if seen[in] {
				continue // or the include is in a cycle, which is reported then, too
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

// Attributes reports whether the template reads any attribute of the device.
func (t *Template) Attributes() bool { return t.attributes }

// Waiting reports whether the template reads an undefined variable that may be an attribute which the schema, being
// partial, does not have yet. Such a template is not specialized.
func (t *Template) Waiting() bool { return t.waiting }

// Families reports whether a name is specialized for IPv4 and IPv6 separately.
func (t *Template) Families() bool { return t.families }

// group returns the number of the pattern's group that $name refers to.
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
