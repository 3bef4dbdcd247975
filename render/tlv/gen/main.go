// Command gen generates the static tables of package tlv from tlvs.csv.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"io"
	"log"
	"os"
	"slices"
	"sort"
	"strconv"
	"strings"
)

// node is a row at one place in the expanded tree.
type node struct {
	row    *row
	path   string
	parent int
	kids   []int
}

type table struct {
	file  string
	kinds map[string]kind
	rows  map[string]*row
	kids  map[string][]string // paths of the children for which a path has rows
	nodes []*node
}

var scopes = map[string]string{
	"cm-config": "ScopeConfig", "registration-only": "ScopeRegistration", "mta": "ScopeMTA",
	"cablehome-ps": "ScopePS", "vendor": "ScopeVendor",
}

var forms = map[string]string{
	"": "FormPlain", "bytes": "FormBytes", "file": "FormFile", "digitmap_file": "FormDigitMap",
}

// traits are the fields that the words of the column set.
var traits = map[string]string{"literal": "Literal", "quoted": "Quoted", "unsure": "Unsure"}

var dialects = []string{"", "mta:", "ps:", "dpoe:"}

func main() {
	log.SetFlags(0)
	in := flag.String("in", "tlvs.csv", "the dictionary")
	out := flag.String("out", "zdict.go", "the Go file to write")
	flag.Parse()
	src, err := generate(*in)
	if err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile(*out, src, 0o644); err != nil {
		log.Fatal(err)
	}
}

func generate(in string) ([]byte, error) {
	kinds, err := readKinds("kind.go")
	if err != nil {
		return nil, err
	}
	f, err := os.Open(in)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t, err := readTable(in, f, kinds)
	if err != nil {
		return nil, err
	}
	return format.Source(t.write())
}

// readTable reads the dictionary and expands it into the tree of each dialect.
func readTable(file string, in io.Reader, kinds map[string]kind) (*table, error) {
	t, err := readRows(file, in, kinds)
	if err != nil {
		return nil, err
	}
	for i := range dialects {
		t.nodes = append(t.nodes, &node{row: &row{kind: "group", scope: "cm-config"}, parent: i})
	}
	for i, prefix := range dialects {
		t.nodes[i].kids = t.root(i, prefix)
	}
	return t, t.checkKeywords()
}

// code returns the last code of a path, which must be valid.
func code(path string) int {
	n, _ := strconv.Atoi(path[strings.LastIndexAny(path, ".:")+1:])
	return n
}

// root expands one dialect's tree. The dialect's rows take precedence over the plain ones;
// subtrees without differences are shared with the plain tree.
func (t *table) root(index int, prefix string) []int {
	byCode := map[int]int{}
	if prefix == "" {
		for path := range t.rows {
			if !strings.ContainsAny(path, ".:") {
				byCode[code(path)] = -1
			}
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
		// The parent of this row has no row in this dialect: copy the plain parent, with this
		// child replaced. Only one level is supported.
		plain := strings.TrimPrefix(path, prefix)
		top, _, _ := strings.Cut(plain, ".")
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

// expand adds the row of path src at path, and everything below it.
func (t *table) expand(path, src string, parent int) int {
	n := &node{row: t.rows[src], path: path, parent: parent}
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

// keywords returns the names of a node's children, in lower case and sorted.
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
			if r.kind == "cert_fragments" && syntax == "file" {
				form = "FormBytes"
			}
			out = append(out, keyword{strings.ToLower(name), forms[syntax], k})
		}
		out = append(out, keyword{strings.ToLower(r.name), form, k})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
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
	// The places of a keyword in the order of the tables, without nodes that are copies.
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

// copied reports whether a dialect copied the node in order to replace a child.
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
	fmt.Fprintf(b, "Kind: %s, ", t.kinds[r.kind].constant)
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
	for _, trait := range r.traits {
		fmt.Fprintf(b, "%s: true, ", traits[trait])
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
