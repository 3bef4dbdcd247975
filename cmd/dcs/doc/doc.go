// Package doc holds the manual. Each page is a Markdown file; the man pages, the pages of the admin site and the packages' HTML are
// made from it.
package doc

import (
	"embed"
	"fmt"
	"regexp"
	"strings"
)

//go:embed *.md
var files embed.FS

// Index is the name of the page that lists the others.
const Index = "README"

// Page is one page of the manual.
type Page struct {
	Name    string // of the file, without .md
	Title   string // the file's first heading
	Summary string // the paragraph below it, as one line
	Man     string // name of the man page
	Section string // of the man page
	Text    string // the Markdown
}

// order lists the pages in reading order. A page's man page is dcs-NAME(7) unless another is given.
var order = []struct{ name, man, section string }{
	{Index, "dcs", "7"},
	{"getting-started", "", ""},
	{"migrate", "", ""},
	{"language", "", ""},
	{"devices", "", ""},
	{"plugins", "", ""},
	{"secrets", "", ""},
	{"cmts", "", ""},
	{"xdp", "", ""},
	{"security", "", ""},
	{"operate", "", ""},
	{"api", "", ""},
	{"troubleshoot", "", ""},
	{"lint", "", ""},
	{"reference", "dcs.yaml", "5"},
	{"metrics", "", ""},
	{"architecture", "", ""},
	{"glossary", "", ""},
}

// Pages returns every page, the index first.
func Pages() []Page {
	pages := make([]Page, 0, len(order))
	for _, o := range order {
		p, err := open(o.name, o.man, o.section)
		if err != nil {
			panic("doc: " + err.Error()) // a page is missing from the build; the tests catch this
		}
		pages = append(pages, p)
	}
	return pages
}

// start matches the beginning of a page: its title and one paragraph.
var start = regexp.MustCompile(`(?s)\A# ([^\n]+)\n\n(.+?)\n\n`)

func open(name, man, section string) (Page, error) {
	text, err := files.ReadFile(name + ".md")
	if err != nil {
		return Page{}, err
	}
	m := start.FindSubmatch(text)
	if m == nil {
		return Page{}, fmt.Errorf("%s.md: no title with a paragraph below it", name)
	}
	p := Page{Name: name, Title: string(m[1]), Summary: oneLine(string(m[2])), Man: man, Section: section, Text: string(text)}
	if p.Man == "" {
		p.Man, p.Section = "dcs-"+name, "7"
	}
	return p, nil
}

// oneLine joins the lines of a paragraph.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }
