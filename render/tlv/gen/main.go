// Command gen turns tlvs.csv into the static Go tables of package tlv.
package main

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"log"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

type row struct {
	path, name, kind, min, max, lenMin, lenMax string
	version, scope, repeat, mic, sameAs        string
	quoted, spec, note                         string
	aliases                                    []string
}

// node is a row at one place of the expanded tree.
type node struct {
	row    *row
	path   string
	parent int
	kids   []int
}

type table struct {
	rows  map[string]*row
	kids  map[string][]string // paths of the children that a path has rows for
	nodes []*node
}

// kinds holds the constant of each kind by its name in the dictionary.
var kinds map[string]string

var scopes = map[string]string{
	"cm-config": "ScopeConfig", "registration-only": "ScopeRegistration", "mta": "ScopeMTA",
	"cablehome-ps": "ScopePS", "vendor": "ScopeVendor",
}

var forms = map[string]string{
	"": "FormPlain", "bytes": "FormBytes", "file": "FormFile", "digitmap_file": "FormDigitMap",
}

var dialects = []string{"", "mta:", "ps:", "dpoe:"}

func main() {
	log.SetFlags(0)
	in := flag.String("in", "tlvs.csv", "the dictionary")
	out := flag.String("out", "zdict.go", "the Go file to write")
	flag.Parse()
	var err error
	if kinds, err = readKinds("kind.go"); err != nil {
		log.Fatal(err)
	}
	t, err := read(*in)
	if err != nil {
		log.Fatal(err)
	}
	for i := range dialects {
		t.nodes = append(t.nodes, &node{row: &row{kind: "group", scope: "cm-config"}, parent: i})
	}
	for i, prefix := range dialects {
		t.nodes[i].kids = t.root(i, prefix)
	}
	src, err := format.Source(t.write())
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, src, 0o644); err != nil {
		log.Fatal(err)
	}
}

// readKinds reads the keys and names of the table of kinds in a Go file.
func readKinds(name string) (map[string]string, error) {
	f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	ast.Inspect(f, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		constant, ok1 := kv.Key.(*ast.Ident)
		row, ok2 := kv.Value.(*ast.CompositeLit)
		if !ok1 || !ok2 || len(row.Elts) == 0 {
			return true
		}
		if lit, ok := row.Elts[0].(*ast.BasicLit); ok && strings.HasPrefix(constant.Name, "Kind") && constant.Name != "KindNone" {
			if kind, err := strconv.Unquote(lit.Value); err == nil {
				out[kind] = constant.Name
			}
		}
		return true
	})
	if len(out) == 0 {
		return nil, fmt.Errorf("%s: no kinds", name)
	}
	return out, nil
}

func read(name string) (*table, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, err
	}
	t := &table{rows: map[string]*row{}, kids: map[string][]string{}}
	for _, r := range recs[1:] {
		w := &row{
			path: r[0], name: r[1], aliases: strings.Fields(r[2]), kind: r[3], min: r[4],
			max: r[5], lenMin: r[6], lenMax: r[7], version: r[8], scope: r[9], repeat: r[10],
			mic: r[11], sameAs: r[12], quoted: r[13], spec: r[14], note: r[15],
		}
		switch {
		case t.rows[w.path] != nil:
			return nil, fmt.Errorf("%s: path %s twice", name, w.path)
		case kinds[w.kind] == "" || scopes[w.scope] == "":
			return nil, fmt.Errorf("%s: path %s: kind %q, scope %q", name, w.path, w.kind, w.scope)
		case (w.min == "") != (w.max == ""):
			return nil, fmt.Errorf("%s: path %s: half a range", name, w.path)
		}
		t.rows[w.path] = w
		if i := strings.LastIndexByte(w.path, '.'); i >= 0 {
			t.kids[w.path[:i]] = append(t.kids[w.path[:i]], w.path)
		}
	}
	return t, nil
}

func code(path string) int {
	path = path[strings.LastIndexAny(path, ".:")+1:]
	n, err := strconv.Atoi(path)
	if err != nil {
		log.Fatal(err)
	}
	return n
}

// root expands one dialect's tree. Its rows come first, the plain ones fill the gaps;
// subtrees in which nothing differs are the plain tree's own.
func (t *table) root(index int, prefix string) []int {
	byCode := map[int]int{}
	if prefix == "" {
		for path := range t.rows {
			if !strings.ContainsAny(path, ".:") {
				byCode[code(path)] = -1
			}
		}
		for c := range byCode {
			byCode[c] = -1
		}
		codes := sortedKeys(byCode)
		for _, c := range codes {
			p := strconv.Itoa(c)
			byCode[c] = t.expand(p, p, index)
		}
		return ordered(byCode)
	}
	for _, i := range t.nodes[0].kids {
		byCode[code(t.nodes[i].path)] = i
	}
	var own []string
	for path := range t.rows {
		if rest, ok := strings.CutPrefix(path, prefix); ok {
			if !strings.Contains(rest, ".") {
				own = append(own, path)
			} else if t.rows[path[:strings.LastIndexByte(path, '.')]] == nil {
				own = append(own, path)
			}
		}
	}
	sort.Strings(own)
	for _, path := range own {
		if !strings.Contains(path, ".") {
			byCode[code(path)] = t.expand(path, path, index)
			continue
		}
		// A row whose parent has no row of this dialect: the parent is copied, with
		// this child in place of the plain one. One level is all there is.
		plain := strings.TrimPrefix(path, prefix)
		top, _, ok := strings.Cut(plain, ".")
		if !ok || strings.Count(plain, ".") != 1 {
			log.Fatalf("%s: deeper than is provided for", path)
		}
		old := t.nodes[byCode[code(top)]]
		c := &node{row: old.row, path: old.path, parent: index, kids: slices.Clone(old.kids)}
		t.nodes = append(t.nodes, c)
		self := len(t.nodes) - 1
		kid := t.expand(path, path, self)
		for i, k := range c.kids {
			if code(t.nodes[k].path) == code(path) {
				c.kids[i] = kid
			}
		}
		byCode[code(top)] = self
	}
	return ordered(byCode)
}

// expand adds the row of path src at the place path, and all below it.
func (t *table) expand(path, src string, parent int) int {
	n := &node{row: t.rows[src], path: path, parent: parent}
	if n.row == nil {
		log.Fatalf("no row %s", src)
	}
	self := len(t.nodes)
	t.nodes = append(t.nodes, n)
	from := src
	for len(t.kids[from]) == 0 && t.rows[from].sameAs != "" {
		from = t.rows[from].sameAs
	}
	byCode := map[int]int{}
	kids := slices.Clone(t.kids[from])
	sort.Slice(kids, func(i, j int) bool { return less(kids[i], kids[j]) })
	for _, k := range kids {
		c := code(k)
		byCode[c] = t.expand(path+"."+strconv.Itoa(c), k, self)
	}
	n.kids = ordered(byCode)
	return self
}

func less(a, b string) bool { return code(a) < code(b) }

func sortedKeys(m map[int]int) []int {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	sort.Ints(keys)
	return keys
}

func ordered(m map[int]int) []int {
	var out []int
	for _, k := range sortedKeys(m) {
		out = append(out, m[k])
	}
	return out
}

type keyword struct {
	name, form string
	def        int
}

// keywords returns the names of the children of a node, in lower case and sorted.
func (t *table) keywords(kids []int) []keyword {
	var out []keyword
	for _, k := range kids {
		r := t.nodes[k].row
		form := "FormPlain"
		if r.kind == "cert_fragments" {
			form = "FormFile"
		}
		for _, a := range r.aliases {
			name, syntax, _ := strings.Cut(a, ":")
			if forms[syntax] == "" {
				log.Fatalf("%s: alias %s", r.path, a)
			}
			if r.kind == "cert_fragments" && syntax == "file" {
				form = "FormBytes"
			}
			out = append(out, keyword{strings.ToLower(name), forms[syntax], k})
		}
		out = append(out, keyword{strings.ToLower(r.name), form, k})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	for i := 1; i < len(out); i++ {
		if out[i].name == out[i-1].name {
			log.Fatalf("%s and %s are both called %s",
				t.nodes[out[i-1].def].path, t.nodes[out[i].def].path, out[i].name)
		}
	}
	return out
}

func (t *table) write() []byte {
	var b bytes.Buffer
	b.WriteString("// Code generated by gen from tlvs.csv; DO NOT EDIT.\n\npackage tlv\n\n")
	var kids []int
	var names []keyword
	var defs bytes.Buffer
	all := map[string][]keyword{}
	for i, n := range t.nodes {
		first, firstName := len(kids), len(names)
		kids = append(kids, n.kids...)
		words := t.keywords(n.kids)
		names = append(names, words...)
		t.writeDef(&defs, i, n, first, firstName, len(words))
	}
	// The places of a keyword, in the order of the tables: only those that a node owns.
	for i, n := range t.nodes {
		if n.path == "" || t.copied(i) {
			continue
		}
		for _, w := range t.keywords([]int{i}) {
			all[w.name] = append(all[w.name], w)
		}
	}
	fmt.Fprintf(&b, "var defs = [%d]Def{\n%s}\n\n", len(t.nodes), defs.Bytes())
	fmt.Fprintf(&b, "var kids = [%d]uint16{%s}\n\n", len(kids), join(kids))
	fmt.Fprintf(&b, "var kidNames = [%d]kidName{\n", len(names))
	for _, w := range names {
		fmt.Fprintf(&b, "{%q, %d, %s},\n", w.name, w.def, w.form)
	}
	b.WriteString("}\n\n")
	var words []string
	for w := range all {
		words = append(words, w)
	}
	sort.Strings(words)
	fmt.Fprintf(&b, "var words = [%d]word{\n", len(words))
	var places []keyword
	for _, w := range words {
		fmt.Fprintf(&b, "{%q, %d, %d},\n", w, len(places), len(all[w]))
		places = append(places, all[w]...)
	}
	fmt.Fprintf(&b, "}\n\nvar places = [%d]place{\n", len(places))
	for _, p := range places {
		fmt.Fprintf(&b, "{%d, %s},\n", p.def, p.form)
	}
	b.WriteString("}\n")
	return b.Bytes()
}

// copied reports whether the node is a copy that a dialect made for the sake of a child.
func (t *table) copied(i int) bool {
	n := t.nodes[i]
	return n.parent > 0 && n.parent < len(dialects) && !strings.Contains(n.path, ":")
}

func (t *table) writeDef(b *bytes.Buffer, i int, n *node, firstKid, firstName, names int) {
	r := n.row
	fmt.Fprintf(b, "{")
	str := func(field, v string) {
		if v != "" {
			fmt.Fprintf(b, "%s: %q, ", field, v)
		}
	}
	num := func(field, v string) {
		if v != "" && v != "0" {
			fmt.Fprintf(b, "%s: %s, ", field, v)
		}
	}
	str("Path", n.path)
	str("Name", r.name)
	if n.path != "" {
		num("Code", strconv.Itoa(code(n.path)))
	}
	fmt.Fprintf(b, "Kind: %s, ", kinds[r.kind])
	if r.min != "" {
		b.WriteString("Limited: true, ")
	}
	num("Min", r.min)
	num("Max", r.max)
	num("LenMin", r.lenMin)
	num("LenMax", r.lenMax)
	num("MICOrder", r.mic)
	if s := scopes[r.scope]; s != "ScopeConfig" {
		fmt.Fprintf(b, "Scope: %s, ", s)
	}
	switch r.repeat {
	case "y":
		b.WriteString("Repeat: RepeatYes, ")
	case "n":
		b.WriteString("Repeat: RepeatNo, ")
	}
	if r.quoted == "y" {
		b.WriteString("Quoted: true, ")
	}
	if len(r.aliases) > 0 {
		b.WriteString("Aliases: []Alias{")
		for _, a := range r.aliases {
			name, syntax, _ := strings.Cut(a, ":")
			fmt.Fprintf(b, "{%q, %s},", name, forms[syntax])
		}
		b.WriteString("}, ")
	}
	str("Version", r.version)
	str("Spec", r.spec)
	str("Note", r.note)
	num("self", strconv.Itoa(i))
	num("parent", strconv.Itoa(n.parent))
	if len(n.kids) > 0 {
		fmt.Fprintf(b, "kid0: %d, kidN: %d, name0: %d, nameN: %d", firstKid, len(n.kids), firstName, names)
	}
	b.WriteString("},\n")
}

func join(v []int) string {
	var b strings.Builder
	for i, n := range v {
		if i%20 == 0 {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, "%d,", n)
	}
	b.WriteByte('\n')
	return b.String()
}
