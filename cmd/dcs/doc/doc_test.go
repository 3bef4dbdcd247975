package doc_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"

	"dcs/cmd/dcs/doc"
	"dcs/cmd/internal/config"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
)

const root = "../../.."

// document is a Markdown file of the repository.
type document struct {
	path string // from the repository's root
	src  []byte
	tree ast.Node
}

// documents returns every Markdown file that git tracks, or would if it were added.
func documents(t *testing.T) []document {
	t.Helper()
	var all []document
	err := filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == ".git" || file == filepath.Join(root, "bin")):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(file) != ".md":
			return nil
		}
		src, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		md := goldmark.New(goldmark.WithExtensions(extension.Table), goldmark.WithParserOptions(parser.WithAutoHeadingID()))
		name, err := filepath.Rel(root, file)
		all = append(all, document{filepath.ToSlash(name), src, md.Parser().Parse(text.NewReader(src))})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < len(doc.Pages()) {
		t.Fatalf("%d documents", len(all))
	}
	return all
}

func each[N ast.Node](d document, f func(N)) {
	_ = ast.Walk(d.tree, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if n, ok := n.(N); ok && entering {
			f(n)
		}
		return ast.WalkContinue, nil
	})
}

// Every page is in the order of the manual, and begins with a title and a line about itself.
func TestPages(t *testing.T) {
	var listed []string
	for _, p := range doc.Pages() {
		listed = append(listed, p.Name+".md")
		if len(p.Summary) > 120 {
			t.Errorf("%s: the summary has %d characters, and is a line of a man page", p.Name, len(p.Summary))
		}
	}
	files, err := filepath.Glob("*.md")
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(listed)
	if !slices.Equal(files, listed) {
		t.Errorf("the directory has %v, the manual %v", files, listed)
	}
	index := doc.Pages()[0]
	for _, p := range doc.Pages()[1:] {
		if !strings.Contains(index.Text, "]("+p.Name+".md)") {
			t.Errorf("the index does not name %s", p.Name)
		}
	}
}

// Every link of every document leads to a file that is there, and to a heading that it has.
func TestLinks(t *testing.T) {
	anchors := map[string][]string{}
	all := documents(t)
	for _, d := range all {
		each(d, func(h *ast.Heading) {
			if id, ok := h.AttributeString("id"); ok {
				anchors[d.path] = append(anchors[d.path], string(id.([]byte)))
			}
		})
	}
	links := 0
	for _, d := range all {
		each(d, func(l *ast.Link) {
			dest := string(l.Destination)
			if strings.Contains(dest, "://") || strings.HasPrefix(dest, "mailto:") {
				return
			}
			links++
			file, anchor, hasAnchor := strings.Cut(dest, "#")
			target := path.Join(path.Dir(d.path), file)
			if file == "" {
				target = d.path
			}
			if _, err := os.Stat(filepath.Join(root, target)); err != nil {
				t.Errorf("%s: [%s]: there is no %s", d.path, dest, target)
			} else if hasAnchor && !slices.Contains(anchors[target], anchor) {
				t.Errorf("%s: [%s]: %s has no such heading", d.path, dest, target)
			}
		})
	}
	if links < 20 {
		t.Errorf("%d links found", links)
	}
}

// tags are what a block of code may be, and who tries it.
var tags = map[string]string{
	"sh":      "TestExamples of cmd/dcs runs it",
	"dcs":     "TestTemplates compiles it",
	"yaml":    "TestConfigurations loads it, or the package that reads such files",
	"csv":     "a file for a block of sh",
	"console": "a transcript, or commands for a host that no test has; TestConsole of cmd/dcs reads those of dcs",
	"conf":    "a file of another program",
	"json":    "what goes over a wire",
	"text":    "a picture",
}

// Every block of code says what it is.
func TestTags(t *testing.T) {
	for _, d := range documents(t) {
		if strings.HasPrefix(d.path, "bench/") {
			continue // results and how they were had, not examples
		}
		each(d, func(b *ast.FencedCodeBlock) {
			if tag := string(b.Language(d.src)); tags[tag] == "" {
				t.Errorf("%s: a block is tagged %q", d.path, tag)
			}
		})
		each(d, func(b *ast.CodeBlock) {
			if b.Lines().Len() > 0 {
				t.Errorf("%s: a block has no tag: %s", d.path, b.Lines().Value(d.src))
			}
		})
	}
}

// blocks calls f for each block with a tag, and what the tag says beyond it.
func blocks(t *testing.T, tag string, f func(d document, rest, src string)) {
	t.Helper()
	n := 0
	for _, d := range documents(t) {
		each(d, func(b *ast.FencedCodeBlock) {
			if string(b.Language(d.src)) == tag {
				n++
				_, rest, _ := strings.Cut(string(b.Info.Value(d.src)), " ")
				f(d, rest, string(b.Lines().Value(d.src)))
			}
		})
	}
	if n == 0 {
		t.Errorf("no block is tagged %s", tag)
	}
}

// attributes are those that the examples' devices have.
var attributes = []string{"profile", "down", "up", "cpe"}

// Every template of the documents compiles without a warning, also with the names that the language's page uses; a lenient one has some.
func TestTemplates(t *testing.T) {
	schema, err := attr.NewSchema(attributes...)
	if err != nil {
		t.Fatal(err)
	}
	blocks(t, "dcs", func(d document, _, src string) {
		snap, err := library.LoadFile(library.Config{MIB: mib.Default(), Schema: schema}, d.path, []byte(src))
		if err != nil {
			t.Errorf("%s: %v\n%s", d.path, err, src)
			return
		}
		lenient := strings.HasPrefix(src, "# dcs:lenient")
		if lenient && len(snap.Warnings) == 0 {
			t.Errorf("%s: nothing in it needs to be lenient\n%s", d.path, src)
		}
		for _, w := range snap.Warnings {
			if !lenient {
				t.Errorf("%s: %v\n%s", d.path, w, src)
			}
		}
		for _, name := range []string{"cm-1.bin", "mta.bin", "isrrip8bw3.bin", "gold.cm", "silver.cm", "bw2"} {
			if found := snap.Find([]byte(name)); found != nil {
				if _, fault := snap.Exact(found, nil, false); fault != nil {
					t.Errorf("%s: %s: %v", d.path, name, fault)
				}
			}
		}
	})
}

// key is a line of a configuration that begins one of its keys.
var key = regexp.MustCompile(`(?m)^[a-z_]+:`)

// Every configuration of the documents is one that the server reads.
func TestConfigurations(t *testing.T) {
	blocks(t, "yaml", func(d document, rest, src string) {
		if rest == "fleet" || rest == "keyring" || rest == "description" {
			return // read by the tests of cmts and keyring
		}
		if !key.MatchString(src) {
			t.Errorf("%s: no key of the configuration\n%s", d.path, src)
		}
		file := filepath.Join(t.TempDir(), "dcs.yaml")
		if err := os.WriteFile(file, []byte(src), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg := config.Default()
		if err := cfg.Load(file); err != nil {
			t.Errorf("%s: %v\n%s", d.path, err, src)
		}
	})
}

// The HTML of the package leads from page to page, and nowhere that is not there.
func TestDocument(t *testing.T) {
	files := map[string]string{}
	for _, p := range doc.Pages() {
		b, err := p.Document()
		if err != nil {
			t.Fatal(err)
		}
		files[p.File()] = string(b)
	}
	hrefs := regexp.MustCompile(`href="([^"]*)"`)
	for name, body := range files {
		for _, m := range hrefs.FindAllStringSubmatch(body, -1) {
			file, anchor, hasAnchor := strings.Cut(m[1], "#")
			if file == "" {
				file = name
			}
			switch target, ok := files[file]; {
			case strings.Contains(m[1], "://"):
			case !ok:
				t.Errorf("%s: there is no %s", name, m[1])
			case hasAnchor && !strings.Contains(target, ` id="`+anchor+`"`):
				t.Errorf("%s: there is no %s", name, m[1])
			}
		}
	}
}

// What is generated is what its tables make.
func TestGenerated(t *testing.T) {
	got, err := os.ReadFile("reference.md")
	if err != nil || string(got) != config.Reference() {
		t.Errorf("reference.md is not what the keys make (%v): make generate", err)
	}
}

// variable is what differs from one message to the next.
var variable = regexp.MustCompile("…|[0-9]+|'[^']*'|:|attribute down|^devices (not made|damaged)$")

// The messages that the manual explains are messages of the program.
func TestMessages(t *testing.T) {
	var sources strings.Builder
	for _, dir := range []string{"bpf", "cmd", "fastpath", "render"} {
		err := filepath.WalkDir(filepath.Join(root, dir), func(file string, _ fs.DirEntry, err error) error {
			if err != nil || filepath.Ext(file) != ".go" || strings.HasSuffix(file, "_test.go") {
				return err
			}
			b, err := os.ReadFile(file)
			sources.Write(b)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	program := sources.String() + syscall.EADDRINUSE.Error() + syscall.EACCES.Error()
	var page doc.Page
	for _, p := range doc.Pages() {
		if p.Name == "troubleshoot" {
			page = p
		}
	}
	_, tables, _ := strings.Cut(page.Text, "\n## A device source")
	n := 0
	for line := range strings.Lines(tables) {
		cell, ok := strings.CutPrefix(line, "| `")
		if !ok {
			continue
		}
		cell, _, _ = strings.Cut(cell, " | ")
		for i, message := range strings.Split("`"+cell, "`") {
			if i%2 == 0 {
				continue // between code spans
			}
			for _, part := range variable.Split(message, -1) {
				if part = strings.TrimSpace(part); len(part) < 8 || part == "devices would be lost" {
					continue
				}
				if n++; !strings.Contains(program, part) {
					t.Errorf("no message has %q, of %q", part, message)
				}
			}
		}
	}
	if n < 15 {
		t.Errorf("%d messages found", n)
	}
}
