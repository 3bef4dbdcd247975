package skeleton

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/attr/store"
	"dcs/render/ber/mib"
	"dcs/render/syntax"
)

// A plan is a template or a Block of a random library, as the reference below reads it.
type plan struct {
	name     string
	defaults map[int]string // a number, or $n of a smaller variable
	stmts    []planStmt
}

type planStmt struct {
	kind byte // 's'etting, a value without a slo'g', 'o'pen include, include by a 'p'refix, include by 'n'ame, 'c'ases
	v    int
	to   int          // 'n'
	arms [][]planStmt // 'c'
}

// The variables: 0 and 1 are attributes, 2 is a group of the template's pattern.
const (
	planVars  = 6
	planItems = 4 // blocks; the template is the last
)

type planner struct {
	*rand.Rand
	items   []*plan
	partial bool
}

func (g *planner) body(deep int) (out []planStmt) {
	for range g.IntN(3) {
		st := planStmt{kind: "sgoppnnc"[g.IntN(8)], v: g.IntN(planVars), to: g.IntN(planItems)}
		if st.kind == 'c' {
			if deep > 0 {
				continue
			}
			st.arms = [][]planStmt{g.body(1), g.body(1)}
		}
		out = append(out, st)
	}
	return out
}

func newPlanner(r *rand.Rand) *planner {
	g := &planner{Rand: r, partial: r.IntN(4) == 0}
	for i := range planItems + 1 {
		p := &plan{name: "b" + strconv.Itoa(i), defaults: map[int]string{}, stmts: g.body(0)}
		if i == planItems {
			p.name = "t"
		}
		for v := range planVars {
			switch g.IntN(6) {
			case 0, 1, 2:
				p.defaults[v] = strconv.Itoa(g.IntN(planItems + 2)) // the last names nothing
			case 3:
				if v > 0 {
					p.defaults[v] = "$v" + strconv.Itoa(g.IntN(v))
				}
			}
		}
		g.items = append(g.items, p)
	}
	return g
}

func (p *plan) write(b *strings.Builder) {
	for _, v := range slices.Sorted(maps.Keys(p.defaults)) {
		fmt.Fprintf(b, "default v%d %s; ", v, p.defaults[v])
	}
	writePlan(b, p.stmts)
}

func writePlan(b *strings.Builder, stmts []planStmt) {
	for _, st := range stmts {
		switch st.kind {
		case 's':
			fmt.Fprintf(b, "MaxCPE $v%d; ", st.v)
		case 'g':
			fmt.Fprintf(b, "UpstreamDropClassifierGroupID $v%d + 1,2; ", st.v)
		case 'o':
			fmt.Fprintf(b, "include $v%d; ", st.v)
		case 'p':
			fmt.Fprintf(b, "include \"b$v%d\"; ", st.v)
		case 'n':
			fmt.Fprintf(b, "include b%d; ", st.to)
		case 'c':
			fmt.Fprintf(b, "select $v%d { 1 { ", st.v)
			writePlan(b, st.arms[0])
			b.WriteString("} default { ")
			writePlan(b, st.arms[1])
			b.WriteString("} } ")
		}
	}
}

// paths is the reference: it follows every path of includes for itself.
type paths struct {
	*planner
	structural map[int]bool
	attributes bool
	waiting    bool
	sure       bool // there is an error that must be told
	unsure     bool // there is one that may be: of what is not meant, or of a circle through several variables
}

// meaning is a variable's: the attributes in it, and text if it is constant.
type meaning struct {
	attrs   map[int]bool
	text    string
	unknown bool
}

func (m meaning) constant() bool { return len(m.attrs) == 0 && !m.unknown }

func (p *paths) fail(open bool) {
	p.sure = p.sure || !open
	p.unsure = true
}

// value reads a variable; chain are the items around, outermost first.
func (p *paths) value(v int, chain []*plan, open bool) meaning {
	if v == 2 {
		return meaning{unknown: true}
	}
	m, found := meaning{attrs: map[int]bool{}}, false
	for i, it := range chain {
		if text, ok := it.defaults[v]; ok {
			found = true
			if n, isVar := strings.CutPrefix(text, "$v"); isVar {
				of, _ := strconv.Atoi(n)
				m = p.value(of, chain[:i+1], open)
			} else {
				m.text = text
			}
			break
		}
	}
	if v < 2 {
		p.attributes = true
		attrs := map[int]bool{v: true}
		maps.Copy(attrs, m.attrs)
		return meaning{attrs: attrs}
	}
	switch {
	case found:
		p.attributes = p.attributes || p.partial
	case p.partial:
		p.waiting, m.unknown = true, true
	default:
		p.fail(open)
		m.unknown = true
	}
	return m
}

func (p *paths) mark(m meaning) {
	for a := range m.attrs {
		p.structural[a] = true
	}
}

// walk follows statements. hops are where in chain an include by a variable led to the next.
func (p *paths) walk(stmts []planStmt, chain []*plan, hops []bool, open bool) {
	enter := func(it *plan, hop, open bool) {
		if i := slices.Index(chain, it); i >= 0 {
			n := 0
			for _, h := range hops[i:] {
				if h {
					n++
				}
			}
			if !hop {
				p.fail(open || n > 1)
			}
			return
		}
		p.walk(it.stmts, append(slices.Clone(chain), it), append(slices.Clone(hops), hop), open)
	}
	for _, st := range stmts {
		switch st.kind {
		case 's':
			p.value(st.v, chain, open)
		case 'g':
			p.mark(p.value(st.v, chain, open))
		case 'c':
			p.mark(p.value(st.v, chain, open))
			p.walk(st.arms[0], chain, hops, open)
			p.walk(st.arms[1], chain, hops, open)
		case 'n':
			enter(p.items[st.to], false, open)
		default:
			m := p.value(st.v, chain, open)
			p.mark(m)
			if m.constant() {
				i, _ := strconv.Atoi(m.text)
				if i >= planItems || st.kind == 'o' { // a number alone is no Block's name
					p.fail(open)
					continue
				}
				enter(p.items[i], false, open)
				continue
			}
			for _, it := range p.items[:planItems] {
				enter(it, true, open || st.kind == 'o')
			}
		}
	}
}

// listed is a source that has attributes and no devices; without attributes it cannot be opened.
type listed struct{ names []string }

func (s *listed) Name() string { return fmt.Sprint(s.names) }

func (s *listed) Open(context.Context) ([]string, error) {
	if s.names == nil {
		return nil, errors.New("down")
	}
	return s.names, nil
}

func (s *listed) Load(context.Context, func(*attr.Device) error) error { return nil }

func (s *listed) Close() error { return nil }

// partialSchema returns the schema of sources of which one has not told its attributes.
func partialSchema(t *testing.T, names ...string) *attr.Schema {
	t.Helper()
	s, err := store.Open(store.Config{
		Dir: t.TempDir(), Sources: []attr.Source{&listed{names}, &listed{}}, Now: time.Now, OpenWait: time.Millisecond, RetryMin: time.Hour,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if schema := s.Schema(); schema.Len() == len(names) && schema.Partial() {
			return schema
		}
	}
	t.Fatal("no source tells its attributes")
	return nil
}

// TestReach holds what is found out of the templates of random libraries against a reference
// that follows every path: nothing that it finds is missed, and where no path has an error, or
// waits, nothing else is found.
func TestReach(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	exact := 0
	partial := partialSchema(t, "v0", "v1")
	for round := range 3000 {
		g := newPlanner(rand.New(rand.NewPCG(seed, uint64(round))))
		var src, blocks strings.Builder
		fmt.Fprint(&src, "Main ~ \"x(?P<v2>.)\" { ")
		g.items[planItems].write(&src)
		src.WriteString("}")
		for _, it := range g.items[:planItems] {
			fmt.Fprintf(&blocks, "Block %s { ", it.name)
			it.write(&blocks)
			blocks.WriteString("}\n")
		}
		b := bench{src: src.String(), blocks: blocks.String(), schema: []string{"v0", "v1"}, pattern: []string{"v2"}}
		p := &paths{planner: g, structural: map[int]bool{}}
		p.walk(g.items[planItems].stmts, g.items[planItems:], []bool{false}, false)
		if g.partial {
			b.env.Schema = partial
		}
		b.wide = round%2 == 1
		tm, err := b.template(t)
		fail := func(format string, args ...any) {
			t.Fatalf("round %d: %s\n%+v\n%v\n%s\n%s", round, fmt.Sprintf(format, args...), *p, err, src.String(), blocks.String())
		}
		switch {
		case p.sure && err == nil && !b.wide:
			fail("no error")
		case err != nil && !p.unsure && strings.Count(err.Error(), "\n")+1 > strings.Count(err.Error(), "cycle"):
			fail("an error") // beside circles of what a variable may choose twice on one way
		case err != nil:
			continue
		}
		want := slices.Sorted(maps.Keys(p.structural))
		for _, a := range want {
			if !slices.Contains(tm.Structural(), a) {
				fail("structural are %v, want %v", tm.Structural(), want)
			}
		}
		if p.attributes && !tm.Attributes() || p.waiting && !tm.Waiting() {
			fail("attributes %v, waiting %v", tm.Attributes(), tm.Waiting())
		}
		if b.wide {
			sameFiles(t, b, g.Rand)
			continue
		}
		if p.unsure || p.waiting {
			continue
		}
		exact++
		if !slices.Equal(want, tm.Structural()) || p.attributes != tm.Attributes() || p.waiting != tm.Waiting() {
			fail("structural are %v, attributes %v, waiting %v", tm.Structural(), tm.Attributes(), tm.Waiting())
		}
	}
	if exact < 100 {
		t.Errorf("only %d libraries without an error", exact)
	}
}

// sameFiles holds what a template makes whose variables are looked at for all values together
// against what it makes otherwise.
func sameFiles(t *testing.T, b bench, r *rand.Rand) {
	t.Helper()
	wide, err := b.template(t)
	if err != nil || wide.Waiting() {
		return
	}
	b.wide = false
	narrow, err := b.template(t)
	if err != nil {
		return // told at once, and otherwise when a name is asked for
	}
	for range 5 {
		b.captures, b.record = []string{strconv.Itoa(r.IntN(planItems))}, attr.Record{"", strconv.Itoa(r.IntN(planItems))}
		if r.IntN(2) == 0 {
			b.record[0] = strconv.Itoa(r.IntN(planItems))
		}
		want, wanted := b.made(t, narrow)
		got, fault := b.made(t, wide)
		if (fault == nil) != (wanted == nil) || !bytes.Equal(got, want) {
			t.Fatalf("%v, %v: %x %v, want %x %v\n%s\n%s", b.captures, b.record, got, fault, want, wanted, b.src, b.blocks)
		}
	}
}

// TestReachIsLinear counts what is looked at in libraries of n and of 4 n templates that may include one another: each
// item and each include once, in each of the worlds that are told apart.
func TestReachIsLinear(t *testing.T) {
	require.Long(t, "templates of growing size")
	schema, err := attr.NewSchema("profile")
	if err != nil {
		t.Fatal(err)
	}
	for name, main := range map[string]string{
		"attribute":          `Main "t%[1]d" { NetworkAccess 1; include $profile; }`,
		"capture":            `Main ~ "t%[1]d-(?P<isp>.)" { NetworkAccess 1; include "t$isp"; }`,
		"defaults":           `Main "t%[1]d" { default down %[1]d; include $profile; }`,
		"different defaults": `Main "t%[1]d" { default v%[1]d 1; default down $v%[1]d; include $profile; }`,
		"names of their own": `Main ~ "t%[1]d-(?P<isp>.)" { default down %[1]d; include "$isp-%[1]d"; include $profile; }`,
		"chains":             `Main "t%[1]d" { default down 7; select $profile { 1 { include b%[1]d; } default { include b%[1]d; } } } Block b%[1]d { include $profile; include "b$profile"; }`,
	} {
		work := func(n int) int {
			var src strings.Builder
			for i := range n {
				fmt.Fprintf(&src, main+"\n", i)
			}
			fmt.Fprint(&src, `Block own { default down 3; UsServiceFlow { MaxRateSustained $down; } }`)
			for i := range n {
				fmt.Fprintf(&src, ` Block x-%d { UsServiceFlow { MaxRateSustained $down; } default down 9; }`, i)
			}
			return nodes(t, src.String(), schema)
		}
		few, many := work(200), work(800)
		t.Logf("%s: %d for 200 templates, %d for 800", name, few, many)
		if many > 5*few || many > 400*800 {
			t.Errorf("%s: %d for 200 templates, %d for 800", name, few, many)
		}
	}
}

// nodes makes templates of all items of a source, and returns how much was looked at for their includes with variables.
func nodes(t *testing.T, src string, schema *attr.Schema) int {
	t.Helper()
	f, err := syntax.Parse("t.dcs", []byte(src), syntax.DCS)
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string]*syntax.Item{}
	for _, it := range f.Items {
		blocks[it.Name] = it
	}
	choices := map[string]*Choices{}
	env := &Env{
		MIB: mib.Default(), Schema: schema,
		Include: func(_ syntax.Pos, name string, _ bool) (*syntax.Item, error) {
			if it := blocks[name]; it != nil {
				return it, nil
			}
			return nil, errors.New("nothing has this name")
		},
		Candidates: func(_ syntax.Pos, pieces []string) []*Choices {
			key := strings.Join(pieces, "$")
			if choices[key] == nil {
				choices[key] = &Choices{}
				for _, it := range f.Items {
					if strings.HasPrefix(it.Name, pieces[0]) && strings.HasSuffix(it.Name, pieces[1]) {
						choices[key].Items = append(choices[key].Items, it)
					}
				}
			}
			return []*Choices{choices[key]}
		},
	}
	for _, it := range f.Items {
		if it.Kind == syntax.Block {
			continue
		}
		var groups []string
		if it.Pattern {
			groups = []string{"", "isp"}
		}
		if _, err := New(env, it, groups); err != nil {
			t.Fatal(err)
		}
	}
	n := env.reach.walked + len(env.reach.free.free)
	for _, in := range env.reach.nodes {
		n += 1 + len(in.edges) + len(in.entries)
	}
	return n
}
