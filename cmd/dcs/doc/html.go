package doc

import (
	"bytes"
	_ "embed"
	"html/template"
	"strings"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// Links returns the address of a page of the manual for links in HTML.
type Links func(page string) string

// HTML returns the page's body, from its title on. Links to other pages get their address from links. Links to files outside of the
// manual, which readers of the HTML do not have, are replaced by their text.
func (p Page) HTML(links Links) (template.HTML, error) {
	md := goldmark.New(
		goldmark.WithExtensions(extension.Table),
		goldmark.WithParserOptions(parser.WithAutoHeadingID(), parser.WithASTTransformers(util.Prioritized(relink{links}, 500))),
	)
	var b bytes.Buffer
	if err := md.Convert([]byte(p.Text), &b); err != nil {
		return "", err
	}
	return template.HTML(b.String()), nil //nolint:gosec // our own pages, in which goldmark escapes raw HTML
}

// File returns the name of the page's HTML file.
func (p Page) File() string {
	if p.Name == Index {
		return "index.html"
	}
	return p.Name + ".html"
}

//go:embed document.html
var documentHTML string

var document = template.Must(template.New("document").Parse(documentHTML))

// Document returns the page as an HTML file. Its links expect the other pages in the same directory, named by [Page.File].
func (p Page) Document() ([]byte, error) {
	body, err := p.HTML(func(page string) string { return Page{Name: page}.File() })
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = document.Execute(&b, struct {
		Page  Page
		Pages []Page
		Body  template.HTML
	}{p, Pages(), body})
	return b.Bytes(), err
}

// relink rewrites the links of a page.
type relink struct{ links Links }

// Transform implements [parser.ASTTransformer].
func (r relink) Transform(doc *ast.Document, _ text.Reader, _ parser.Context) {
	var outside []*ast.Link
	_ = ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		link, ok := n.(*ast.Link)
		if !ok || !entering {
			return ast.WalkContinue, nil
		}
		if page, anchor, ok := Target(string(link.Destination)); ok {
			link.Destination = []byte(r.links(page) + anchor)
		} else if !external(string(link.Destination)) {
			outside = append(outside, link)
		}
		return ast.WalkContinue, nil
	})
	for _, link := range outside {
		for c := link.FirstChild(); c != nil; c = link.FirstChild() {
			link.Parent().InsertBefore(link.Parent(), link, c)
		}
		link.Parent().RemoveChild(link.Parent(), link)
	}
}

// Target splits the target of a link into the page of the manual and the anchor with its #. ok is false for a link that leaves the
// manual, and for one to an anchor on the same page.
func Target(dest string) (page, anchor string, ok bool) {
	path, fragment, hasAnchor := strings.Cut(dest, "#")
	page, ok = strings.CutSuffix(path, ".md")
	if hasAnchor {
		anchor = "#" + fragment
	}
	return page, anchor, ok && !strings.Contains(page, "/")
}

// external reports whether a link leads to the web or to an anchor on its own page.
func external(dest string) bool {
	return strings.Contains(dest, "://") || strings.HasPrefix(dest, "#")
}
