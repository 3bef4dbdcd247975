package render

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/mic"
)

// herd is a fleet whose attributes are its own.
type herd struct {
	fleet
	schema *attr.Schema
}

func (h herd) View() View { return h }

func (h herd) Schema() *attr.Schema { return h.schema }

// What gives v0 to v6 a value: v2 and v3 are attributes; every template gives v0 to v2 one,
// by a group or a default; v3 to v6 have one where a template or a Block has a default.
const (
	inlineVars = 7
	always     = 3
	inlineDeep = 4 // levels of Blocks, each including those of the levels below
)

var inlineAttrs = map[int]int{2: 0, 3: 1} // the variable's place in the schema

// A wordy is an item of a random library.
type wordy struct {
	name     string
	flow     bool           // its statements belong in a service flow
	defaults map[int]string // an integer, or "$n": one more than variable n, which is a smaller number
	stmts    []wordyStmt
}

type wordyStmt struct {
	format  string // of a setting, with a %s for each variable
	vars    []int
	include *wordy        // or an include
	choose  [][]wordyStmt // or a select of vars[0], by value; the last is the default
	tail    string        // what closes the group that format opens; stmts are in it
	stmts   []wordyStmt
}

// inliner makes random libraries, and writes their templates out by hand.
type inliner struct {
	*rand.Rand
	levels [inlineDeep][]*wordy
	flows  []*wordy
	leaves []*wordy // leaf-0 to leaf-4, for includes by variable
}

func (g *inliner) item(name string, level int, flow bool) *wordy {
	w := &wordy{name: name, flow: flow, defaults: map[int]string{}}
	for v := always; v < inlineVars; v++ {
		switch g.IntN(4) {
		case 0:
		case 1:
			w.defaults[v] = "$" + strconv.Itoa(g.IntN(always))
		default:
			w.defaults[v] = strconv.Itoa(g.IntN(4))
		}
	}
	w.stmts = g.body(w, level, 2+g.IntN(3))
	return w
}

// use picks a variable that has a value wherever w is included.
func (g *inliner) use(w *wordy) int {
	for {
		if v := g.IntN(inlineVars); v < always || w.defaults[v] != "" {
			return v
		}
	}
}

func (g *inliner) body(w *wordy, level, n int) (out []wordyStmt) {
	set := func(format string) {
		st := wordyStmt{format: format}
		for range strings.Count(format, "%s") {
			st.vars = append(st.vars, g.use(w))
		}
		out = append(out, st)
	}
	for range n {
		switch pick := g.IntN(9); {
		case w.flow && pick < 4:
			set("MaxRateSustained $%s * 1000 + 7; ")
		case w.flow && pick < 6:
			set(`ServiceClassName "c$%s"; `)
		case w.flow && len(g.flows) > 0:
			out = append(out, wordyStmt{include: g.flows[g.IntN(len(g.flows))]})
		case w.flow:
			set("TrafficPriority 3; ")
		case pick == 0:
			set("MaxCPE $%s; ")
		case pick == 1:
			set(`SwUpgradeFilename "f$%s-${%s}x"; `)
		case pick == 2:
			set("SnmpMibObject .1.3.6.1.4.1.4491.1.1.0 Integer 1 + $%s; ")
		case pick == 3 && len(g.flows) > 0:
			out = append(out, wordyStmt{
				format: "DsServiceFlow { DsServiceFlowRef 2; ", tail: "} ",
				stmts: []wordyStmt{{include: g.flows[g.IntN(len(g.flows))]}, {format: "QosParamSetType $%s + 1; ", vars: []int{g.use(w)}}},
			})
		case pick == 4:
			st := wordyStmt{vars: []int{g.use(w)}}
			for range 1 + g.IntN(3) {
				st.choose = append(st.choose, g.body(w, level, 1))
			}
			out = append(out, st)
		case pick == 5 && g.leaves != nil:
			out = append(out, wordyStmt{format: `include "leaf-$%s"; `, vars: []int{g.use(w)}})
		case level > 0:
			down := g.levels[g.IntN(level)]
			out = append(out, wordyStmt{include: down[g.IntN(len(down))]})
		default:
			set("MaxClassifiers 300; ")
		}
	}
	return out
}

// write writes an item's statements in the language.
func (w *wordy) write(b *strings.Builder, given map[int]bool) {
	for v, value := range w.defaults {
		if n, found := strings.CutPrefix(value, "$"); found {
			value = "$v" + n + " + 1"
		}
		if !given[v] {
			fmt.Fprintf(b, "default v%d %s; ", v, value)
		}
	}
	writeStmts(b, w.stmts)
}

func writeStmts(b *strings.Builder, stmts []wordyStmt) {
	for _, st := range stmts {
		switch {
		case st.include != nil:
			fmt.Fprintf(b, "include %s; ", st.include.name)
		case st.choose != nil:
			fmt.Fprintf(b, "select $v%d { ", st.vars[0])
			for i, c := range st.choose {
				label := strconv.Itoa(i)
				if i == len(st.choose)-1 {
					label = "default"
				}
				b.WriteString(label + " { ")
				writeStmts(b, c)
				b.WriteString("} ")
			}
			b.WriteString("} ")
		default:
			var names []any
			for _, v := range st.vars {
				names = append(names, "v"+strconv.Itoa(v))
			}
			fmt.Fprintf(b, st.format, names...)
			writeStmts(b, st.stmts)
			b.WriteString(st.tail)
		}
	}
}

// inlined writes what the language says a template means for one request: what is included
// in its place, and values for variables. chain are the items around, the template first.
func (g *inliner) inlined(b *strings.Builder, stmts []wordyStmt, chain []*wordy, known map[int]string) {
	for _, st := range stmts {
		switch {
		case st.include != nil:
			g.inlined(b, st.include.stmts, append(chain[:len(chain):len(chain)], st.include), known)
		case st.choose != nil:
			chosen := len(st.choose) - 1
			if n := value(st.vars[0], chain, known); n < chosen {
				chosen = n
			}
			g.inlined(b, st.choose[chosen], chain, known)
		case strings.HasPrefix(st.format, "include"):
			leaf := g.leaves[value(st.vars[0], chain, known)]
			g.inlined(b, leaf.stmts, append(chain[:len(chain):len(chain)], leaf), known)
		default:
			text := strings.ReplaceAll(strings.ReplaceAll(st.format, "${%s}", "%s"), "$%s", "%s")
			var values []any
			for _, v := range st.vars {
				values = append(values, strconv.Itoa(value(v, chain, known)))
			}
			fmt.Fprintf(b, text, values...)
			g.inlined(b, st.stmts, chain, known)
			b.WriteString(st.tail)
		}
	}
}

// value is a variable's: known of the request, else by the default of the outermost item that has one.
func value(v int, chain []*wordy, known map[int]string) int {
	text, ok := known[v]
	for i := 0; !ok; i++ {
		text, ok = chain[i].defaults[v]
	}
	if n, found := strings.CutPrefix(text, "$"); found {
		of, _ := strconv.Atoi(n)
		return value(of, chain, known) + 1
	}
	n, _ := strconv.Atoi(text)
	return n
}

// TestIncludeIsInline holds the templates of random libraries, which share Blocks and give
// their variables values in every way, against the same templates with everything that is
// included written in its place and the values in place of the variables. What is explained
// is what is served.
func TestIncludeIsInline(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rounds := 60
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		testInline(t, &inliner{Rand: rand.New(rand.NewPCG(seed, uint64(round)))})
	}
}

func testInline(t *testing.T, g *inliner) {
	var src strings.Builder
	block := func(w *wordy) *wordy {
		src.WriteString("Block " + w.name + " { ")
		w.write(&src, nil)
		src.WriteString("}\n")
		return w
	}
	for i := range 4 {
		g.flows = append(g.flows, block(g.item(fmt.Sprintf("flow-%d", i), 0, true)))
	}
	var leaves []*wordy
	for i := range 5 { // a value is 0 to 3, a default may be one more
		leaves = append(leaves, block(g.item(fmt.Sprintf("leaf-%d", i), 0, false)))
	}
	g.leaves = leaves
	for level := range inlineDeep {
		for i := range 3 {
			w := block(g.item(fmt.Sprintf("b%d-%d", level, i), level, false))
			g.levels[level] = append(g.levels[level], w)
		}
	}
	schema, err := attr.NewSchema("v2", "v3")
	if err != nil {
		t.Fatal(err)
	}
	devices := fleet{{2, 0, 0, 0, 0, 1}: {"1", "2"}, {2, 0, 0, 0, 0, 2}: {"", "3"}, {2, 0, 0, 0, 0, 3}: {"0", ""}}
	type asked struct {
		name  string
		w     *wordy
		known map[int]string
	}
	var names []asked
	for i := range 6 {
		w := g.item(fmt.Sprintf("t%d", i), inlineDeep, false)
		a := asked{name: w.name, w: w, known: map[int]string{}}
		given := map[int]bool{}
		pattern := "^" + w.name
		for v := range inlineVars {
			switch {
			case g.IntN(4) == 0:
				a.known[v], given[v] = strconv.Itoa(g.IntN(4)), g.IntN(2) == 0
				pattern += fmt.Sprintf("-(?P<v%d>[0-9])", v)
				a.name += "-" + a.known[v]
			case v < always:
				w.defaults[v] = strconv.Itoa(g.IntN(4))
			}
		}
		head := "Main ~ \"" + pattern + "$\" { "
		if len(a.known) == 0 {
			head = "Main \"" + w.name + "\" { "
		}
		src.WriteString(head)
		w.write(&src, given)
		src.WriteString("}\n")
		names = append(names, a)
	}
	secret := mic.NewSecret([]byte("DOCSIS"))
	lib := library.Config{Dirs: []string{writeLibrary(t, map[string]string{"a.dcs": src.String()})}, MIB: mib.Default(), Schema: schema}
	e, err := NewEngine(Config{Library: lib, Keyring: mic.KeyringOf(secret), Devices: herd{devices, schema}})
	const tooLong = "at most 255 fit in a TLV"
	if err != nil && strings.Contains(err.Error(), tooLong) {
		return // flows within flows have become too long, which is no matter of includes
	}
	if err != nil {
		t.Fatalf("%v\n%s", err, src.String())
	}
	w := e.Worker()
	for _, a := range names {
		for mac, rec := range devices {
			known := map[int]string{}
			for v, at := range inlineAttrs {
				if rec[at] != "" {
					known[v] = rec[at]
				}
			}
			for v, text := range a.known { // a group goes before an attribute
				known[v] = text
			}
			var plain strings.Builder
			g.inlined(&plain, a.w.stmts, []*wordy{a.w}, known)
			name := fmt.Sprintf("%s@%x", a.name, mac)
			one, err := library.LoadFile(library.Config{MIB: mib.Default()}, "plain.dcs", []byte("Main { "+plain.String()+"}"))
			if err != nil && strings.Contains(err.Error(), tooLong) { // what the device chooses shows only at its request
				r := []Request{request(name)}
				w.RenderBatch(now, r)
				if r[0].Err == nil {
					t.Fatalf("%s is served: %x\n%v\n%s", name, r[0].Body, err, src.String())
				}
				continue
			}
			if err != nil {
				t.Fatalf("%v\n%s", err, plain.String())
			}
			skel, fault := one.Skeleton(one.Find([]byte("plain")), nil, false)
			if fault != nil {
				t.Fatalf("%v\n%s", fault, plain.String())
			}
			want := skel.File(secret)
			r := []Request{request(name)}
			w.RenderBatch(now, r)
			if r[0].Err != nil || !bytes.Equal(r[0].Body, want) {
				t.Fatalf("%s: %v\ngot  %x\nwant %x\n%s\n%s", name, r[0].Err, r[0].Body, want, src.String(), plain.String())
			}
			if x := e.Explain(now, request(name)); x.Err != nil || !bytes.Equal(x.Body, want) {
				t.Fatalf("%s: explained and served differ: %v\n%x\n%x\n%s", name, x.Err, x.Body, want, src.String())
			}
		}
	}
}
