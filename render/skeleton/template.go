package skeleton

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/bytebufferpool"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/mic"
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

// Name is what a template is asked to be made for.
type Name struct {
	Text     string   // the name asked for, without a device's suffix
	Captures []string // what the pattern's groups matched, by number; nil for a literal name
	Given    []bool   // whether each group took part
	Keys     []string // the device's values of the attributes that Structural lists; "": it lacks it
	IPv6     bool     // the modem's address is of IPv6; it matters where Families says so
}

// New checks an item and makes a template of it. groups are the names of its pattern's
// groups by number, as regexp.SubexpNames gives them; nil for a literal name. The error is
// a syntax.Errors with all that is wrong.
func New(env *Env, it *syntax.Item, groups []string) (*Template, error) {
	env.prepare()
	t := &Template{Item: it, env: env, groups: groups}
	c := t.compiler(true)
	for i, g := range groups {
		if builtin(g) && g != "mac" {
			c.errorf(it.NamePos, "group %d is called %s, but $%s always has a value of its own; give it another name", i, g, g)
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

func (t *Template) compiler(checking bool) *compiler {
	c := &compiler{t: t, env: t.env, checking: checking, b: builder{changed: -1}, stack: []*syntax.Item{t.Item}}
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

// template compiles an item that is made of TLVs.
func (c *compiler) template(it *syntax.Item) {
	c.enc.Dialect = c.t.dialect()
	root := tlv.Root(c.t.dialect())
	if it.Kind == syntax.Mta {
		c.b.base = append(c.b.base, opening...)
		c.implied = true
	}
	c.item(it, root, nil)
	if it.Kind == syntax.Mta {
		c.endDelimiter()
	}
	c.stamps()
}

// endDelimiter adds the closing MtaConfigDelimiter if an Mta item leaves it out.
func (c *compiler) endDelimiter() {
	if n := len(c.b.tops); n > 0 {
		last := &c.b.tops[n-1]
		if last.end == c.b.here() && string(c.b.base[last.start.off:]) == closing {
			return
		}
	}
	c.b.base = append(c.b.base, closing...)
}

// stamps adds the time and the modem's address to a modem's file that lacks them. They
// come last, so that as much as can be stays in front of the first change.
func (c *compiler) stamps() {
	if c.t.Kind != ModemFile {
		return
	}
	has := func(code byte) bool {
		return slices.ContainsFunc(c.b.tops, func(t topTLV) bool { return t.code == code })
	}
	root := tlv.Root(tlv.CM)
	stamp := func(code byte, src source, name string) {
		d, _ := root.ChildByCode(code)
		v := val{pos: c.t.Item.Pos, kind: dynamicVal, dyn: &dynamic{op: dynVar, name: name, src: src}}
		m := c.b.begin()
		st := &syntax.Setting{Pos: c.t.Item.Pos, Keyword: d.Name, Values: []syntax.Expr{&syntax.Var{Pos: c.t.Item.Pos, Name: name}}}
		c.dynamic(st, d, tlv.FormPlain, []val{v})
		_, changed, _ := c.b.end(m)
		c.b.tops = append(c.b.tops, topTLV{code: code, start: m.at, end: c.b.here(), change: changed})
	}
	if c.env.Timestamp && !has(19) {
		stamp(19, fromTime, "time")
	}
	if c.env.ModemAddress && !has(20) && !has(59) {
		switch {
		case c.checking:
			c.t.families = true
		case c.ipv6:
			stamp(59, fromIP, "ip")
		default:
			stamp(20, fromIP, "ip")
		}
	}
}

// fromFile compiles a Text or Binary item.
func (c *compiler) fromFile(it *syntax.Item) {
	name, ok := it.From.Literal()
	if !ok {
		c.errorf(it.From.Pos, "the file that %s is made from must have a constant name", itemName(it))
		return
	}
	data, err := c.env.ReadFile(it.From.Pos, name)
	if err != nil {
		c.errorf(it.From.Pos, "%v", err)
		return
	}
	c.t.source, c.t.sourcePath = data, c.env.Path(it.From.Pos, name)
	if it.Kind == syntax.Binary && it.Resign {
		if len(data) > 0 && data[0] == mtaDelimiter {
			c.t.Kind = MTAFile
		}
	}
	c.plain()
}

const mtaDelimiter = 254

// plain compiles the contents that a Text or Binary item was given.
func (c *compiler) plain() {
	it := c.t.Item
	sc := c.newScope(it, nil)
	for _, st := range it.Body {
		switch st := st.(type) {
		case *syntax.Default:
		case *syntax.Reject:
			c.reject(st, sc)
		case *syntax.Hash:
			c.setHash(st, tlv.Root(tlv.MTA))
		default:
			c.errorf(st.Position(), "a Text or Binary item holds nothing but defaults; its contents come from the file %s", write(it.From))
		}
	}
	if it.Kind == syntax.Text {
		c.text(sc)
		return
	}
	if !it.Resign {
		c.asIs = true
		return
	}
	body, variant, err := mic.Body(c.t.source)
	switch {
	case err != nil:
		c.errorf(it.From.Pos, "%s: %v", write(it.From), err)
		return
	case len(c.t.source) == 0:
		c.errorf(it.From.Pos, "%s: the file is empty, there is nothing to sign", write(it.From))
		return
	case c.t.Kind == MTAFile && variant == mic.NoHash:
		c.errorf(it.From.Pos, "%s: the MTA file holds no hash to make anew; without resign it is served as it is", write(it.From))
		return
	}
	c.doubt(it)
	c.b.base = append(c.b.base, body...)
	if c.hashPos.Line == 0 {
		c.hash = variant
	}
	if c.t.Kind != ModemFile {
		return
	}
	_ = mic.Walk(body, func(off, _, end int, code uint8) bool { // mic.Body has walked it
		c.b.tops = append(c.b.tops, topTLV{code: code, start: place{off: off}, end: place{off: end}, change: -1})
		return true
	})
	c.stamps()
}

// text compiles a text's variables.
func (c *compiler) text(sc *scope) {
	s, err := syntax.ParseText(c.t.sourcePath, c.t.source)
	if err != nil {
		var errs syntax.Errors
		errors.As(err, &errs)
		c.errs = append(c.errs, errs...)
		return
	}
	for _, p := range s.Parts {
		if p.Var == nil {
			c.b.base = append(c.b.base, p.Lit...)
			continue
		}
		v := c.variable(p.Var, sc)
		switch v.kind {
		case unknownVal:
			c.b.local = true
		case dynamicVal:
			sl := slot{kind: textSlot, maxLen: 1 << 20}
			var ok bool
			if sl.parts, ok = texts(nil, &v); !ok {
				c.errorf(p.Var.Pos, "$%s: its default computes with what only a request settles, which a text cannot hold", p.Var.Name)
				continue
			}
			c.env.seal(&sl, p.Var.Pos, "$"+p.Var.Name)
			c.b.add(sl)
		default:
			c.b.base = append(c.b.base, v.plain()...)
		}
	}
}

// Structural lists the attributes, by schema index, that a name is specialized for.
func (t *Template) Structural() []int { return t.structural }

// Attributes tells whether the template reads any attribute of the device.
func (t *Template) Attributes() bool { return t.attributes }

// Waiting tells whether the template reads a variable that nothing gives a value, and that may be an attribute which the
// schema, being partial, does not have yet. Such a template is not specialized.
func (t *Template) Waiting() bool { return t.waiting }

// Families tells whether a name is specialized for IPv4 and IPv6 apart.
func (t *Template) Families() bool { return t.families }

func (t *Template) markStructural(attr int) {
	if !slices.Contains(t.structural, attr) {
		t.structural = append(t.structural, attr)
	}
}

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

// Specialize folds a name into the template. A Fault tells why the name gets no file.
func (t *Template) Specialize(n Name) (*Skeleton, *Fault) {
	s, _, fault := t.specialize(n, false)
	return s, fault
}

// Literal checks a template that is asked for by these names alone, and returns what keeps
// every request from getting a file; nil where one gets a file, or a device decides. A
// reject is what the template says, and no error.
func (t *Template) Literal(names []string) *syntax.Error {
	if len(t.structural) > 0 {
		return nil
	}
	var first *Fault
	for _, n := range names {
		_, fault := t.Specialize(Name{Text: n})
		if fault == nil || fault.Reason == Rejected {
			return nil
		}
		if first == nil {
			first = fault
		}
	}
	if first == nil {
		return nil
	}
	return &syntax.Error{Pos: first.Pos, Msg: first.why()}
}

// Trace is Specialize, and tells which variables were read on the way.
func (t *Template) Trace(n Name) (*Skeleton, []Use, *Fault) { return t.specialize(n, true) }

func (t *Template) specialize(n Name, tracing bool) (*Skeleton, []Use, *Fault) {
	c := t.compiler(false)
	buf := bytebufferpool.Get() // names are learned by the thousand after a reload
	c.b.base = buf.B[:0]
	defer func() {
		buf.B = c.b.base
		bytebufferpool.Put(buf)
	}()
	c.name, c.captures, c.given, c.keys, c.ipv6, c.tracing = n.Text, n.Captures, n.Given, n.Keys, n.IPv6, tracing
	switch t.Item.Kind {
	case syntax.Text, syntax.Binary:
		c.plain()
	default:
		c.template(t.Item)
	}
	c.bounded()
	if c.fault == nil && len(c.errs) > 0 {
		c.fault = &Fault{Reason: Invalid, Pos: c.errs[0].Pos, Text: c.errs[0].Msg}
	}
	if c.fault != nil {
		return nil, c.uses, c.fault
	}
	s, fault := c.skeleton(n.Text)
	return s, c.uses, fault
}

// skeleton makes one of what was compiled.
func (c *compiler) skeleton(name string) (*Skeleton, *Fault) {
	t := c.t
	s := &Skeleton{
		Kind: t.Kind, Name: name, hash: c.hash,
		base: bytes.Clone(c.b.base), vary: c.b.vary,
		slots: slices.Clone(c.b.slots), fixups: slices.Clone(c.b.fixups), tops: c.b.tops,
		broken: Fault{Reason: Invalid, Pos: t.Item.Pos, What: itemName(t.Item)},
	}
	if c.asIs {
		s.base = t.source
	}
	if err := s.settle(); err != nil {
		return nil, s.fail(err)
	}
	s.tops, s.order, s.prefix = nil, slices.Clone(s.order), bytes.Clone(s.prefix)
	return s, nil
}
