package console

import (
	"fmt"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"dcs/cmd/dcs/doc"
)

// manualPage is a rendered page of the manual.
type manualPage struct {
	Path, Title string
	Here        bool
	Body        template.HTML
}

// manualPath returns the URL path of a page of the manual.
func manualPath(name string) string {
	if name == doc.Index {
		return "/manual/"
	}
	return "/manual/" + name
}

// manual renders the pages when the first one is requested.
var manual = sync.OnceValues(func() ([]manualPage, error) {
	var pages []manualPage
	for _, p := range doc.Pages() {
		body, err := p.HTML(manualPath)
		if err != nil {
			return nil, fmt.Errorf("manual: %s: %w", p.Name, err)
		}
		_, rest, _ := strings.Cut(string(body), "</h1>")                                                       // the site's page has the title above
		pages = append(pages, manualPage{Path: manualPath(p.Name), Title: p.Title, Body: template.HTML(rest)}) //nolint:gosec // see doc.Page.HTML
	}
	return pages, nil
})

func (p *site) manual(w http.ResponseWriter, r *http.Request) {
	pages, err := manual()
	pg := &page{Title: "Manual"}
	if err != nil {
		pg.Problem = problem(err)
		p.show(w, r, http.StatusInternalServerError, "manual", pg)
		return
	}
	status := http.StatusNotFound
	for _, m := range pages {
		if m.Here = m.Path == r.URL.Path; m.Here {
			status, pg.Title, pg.ManualBody = http.StatusOK, m.Title, m.Body
		}
		pg.ManualPages = append(pg.ManualPages, m)
	}
	if status == http.StatusNotFound {
		pg.Problem = "The manual has no page " + r.PathValue("name") + "."
	}
	p.show(w, r, status, "manual", pg)
}
