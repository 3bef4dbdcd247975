// Package man makes man pages from the pages of the manual. It is separate from package doc so that
// the program does not link it.
package man

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/cpuguy83/go-md2man/v2/md2man"

	"dcs/cmd/dcs/doc"
)

// Render returns the man page for a page of the manual, with the given date.
func Render(p doc.Page, date time.Time) []byte {
	_, body, _ := strings.Cut(p.Text, "\n\n") // without the title
	_, body, _ = strings.Cut(body, "\n\n")    // and the summary
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s \"%s\" DCS DCS\n=====\n\n# NAME\n%s - %s\n\n", p.Man, p.Section, date.Format(time.DateOnly), p.Man, strings.TrimSuffix(plain(p.Summary), "."))
	if !strings.HasPrefix(body, "#") {
		b.WriteString("# DESCRIPTION\n")
	}
	b.WriteString(convert(body))
	b.WriteString("\n# SEE ALSO\n**dcs**(1), **dcs**(7), **dcs.yaml**(5)\n")
	// md2man writes a backslash as \\, which is a backslash only in macro arguments.
	return bytes.ReplaceAll(md2man.Render([]byte(b.String())), []byte(`\\`), []byte(`\e`))
}

// convert turns a page into the Markdown that md2man reads: headings move up one level, tables become lists of terms, as a
// terminal has no room for their columns, and links become names of man pages.
func convert(text string) string {
	var b strings.Builder
	var table []string
	fenced := false
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "```") {
			if fenced = !fenced; fenced {
				line, _, _ = strings.Cut(line, "```")
				line += "```"
			}
			b.WriteString(line + "\n")
			continue
		}
		switch {
		case fenced:
		case strings.HasPrefix(line, "|"):
			table = append(table, line)
			continue
		default:
			b.WriteString(terms(table))
			table = nil
			if rest, ok := strings.CutPrefix(line, "##"); ok {
				line = "#" + rest
			}
			line = links(line)
		}
		b.WriteString(line + "\n")
	}
	b.WriteString(terms(table))
	return b.String()
}

// terms turns a table into a list of terms: the first cell of a row is the term; the others follow, each after its column's heading.
func terms(table []string) string {
	if len(table) < 3 {
		return ""
	}
	heads := cells(table[0])
	var b strings.Builder
	for _, line := range table[2:] {
		row := cells(line)
		var rest []string
		for i, cell := range row[1:] {
			switch {
			case cell == "" || i+1 >= len(heads):
			case len(row) == 2 || heads[i+1] == "":
				rest = append(rest, cell)
			default:
				rest = append(rest, "*"+heads[i+1]+":* "+cell)
			}
		}
		term := row[0]
		if term == "" {
			term = "–"
		}
		if len(rest) == 0 {
			rest = []string{"–"}
		}
		fmt.Fprintf(&b, "\n%s\n: %s\n", links(term), links(strings.Join(rest, ". ")))
	}
	return b.String() + "\n"
}

// cells splits a row of a table. A bar in a code span is written \|.
func cells(line string) []string {
	line = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(line), "|"), "|")
	var row []string
	for _, cell := range strings.Split(strings.ReplaceAll(line, `\|`, "\x00"), "|") {
		row = append(row, strings.ReplaceAll(strings.TrimSpace(cell), "\x00", "|"))
	}
	return row
}

var link = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)

// links replaces links to other pages with the names of their man pages, and keeps web addresses.
func links(line string) string {
	return link.ReplaceAllStringFunc(line, func(s string) string {
		m := link.FindStringSubmatch(s)
		if page, _, ok := doc.Target(m[2]); ok {
			for _, p := range doc.Pages() {
				if p.Name == page {
					return fmt.Sprintf("%s (**%s**(%s))", m[1], p.Man, p.Section)
				}
			}
		}
		if strings.Contains(m[2], "://") {
			return m[1] + " ⟨" + m[2] + "⟩"
		}
		return m[1]
	})
}

// plain removes the markup from a line.
func plain(s string) string {
	return strings.NewReplacer("`", "", "*", "").Replace(link.ReplaceAllString(s, "$1"))
}
