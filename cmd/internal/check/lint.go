package check

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/version"
	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/report"
	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Lint says how files are judged and how findings are written.
type Lint struct {
	lint.Options
	Format string // text, json or sarif
	Strict bool   // warnings fail the check
	Notes  bool   // write notes, too
}

// Documents reports whether findings are one document on standard output, rather than lines among others.
func (l *Lint) Documents() bool { return l.Format == "json" || l.Format == "sarif" }

// write writes findings, and returns [cli.ErrReported] if they fail the check.
func (l *Lint) write(list []lint.Finding, stdout, stderr io.Writer) error {
	var bad error
	shown := make([]lint.Finding, 0, len(list))
	for _, f := range list {
		if f.Severity == lint.Error || l.Strict && f.Severity == lint.Warning {
			bad = cli.ErrReported
		}
		if f.Severity > lint.Note || l.Notes {
			shown = append(shown, f)
		}
	}
	var err error
	switch l.Format {
	case "json":
		err = report.JSON(stdout, shown)
	case "sarif":
		err = report.SARIF(stdout, version.String(), shown)
	default:
		for i := range shown {
			report.Text(stderr, &shown[i])
		}
	}
	if err != nil {
		return err
	}
	return bad
}

// Table prints the rules.
func (l *Lint) Table(w io.Writer) error {
	if l.Format == "json" {
		return report.Rules(w)
	}
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range lint.Rules() {
		severity := r.Severity.String()
		if r.Recalled {
			severity += ", recalled"
		}
		fmt.Fprintf(out, "%s\t%s\t%s\n", r.ID, severity, r.Meaning)
	}
	return out.Flush()
}

// judgeTemplates returns the findings of all templates of a library.
func judgeTemplates(snap *library.Snapshot, options *lint.Options, allows *lint.Allows) []lint.Finding {
	o := *options
	o.Skip = allows.Allowed
	var found []lint.Finding
	read := map[string]bool{}
	survey := snap.Survey()
	for _, t := range snap.Templates() {
		if _, _, asIs := t.AsIs(); !asIs { // else it is judged as a static file
			var set lint.Set
			files, left := 0, survey.Incomplete()
			for f := range survey.Files(t) {
				set.Add(f, &o)
				files++
			}
			found = append(found, set.Findings()...)
			if survey.Incomplete() > left {
				text := fmt.Sprintf("only the first %d of the files that the template can make were judged", files)
				found = append(found, lint.At(lint.NotAllJudged, lint.Place{Pos: t.Pos()}, text))
			}
		}
		if file := t.Pos().File; !read[file] {
			read[file] = true
			found = append(found, allows.Unknown(file)...)
		}
	}
	return allows.Filter(append(found, survey.Odd()...))
}

// binary returns a binary file to judge; nil: it is no boot file.
func binary(path string, data []byte) *lint.File {
	f := &lint.File{Name: path, Octets: data}
	switch bootfile.KindOf(data) {
	case bootfile.Other:
		return nil
	case bootfile.MTA:
		f.Dialect = tlv.MTA
	case bootfile.Portal:
		f.Dialect = tlv.PS
	}
	return f
}

// perRule is how many files are named for findings of one rule and severity in static directories.
const perRule = 5

// kind is what is counted of the findings of many files.
type kind struct {
	rule     *lint.Rule
	severity lint.Severity
}

// judgeUnrendered returns the findings of static files and of Binary items that are shown. Faults that an audit has reported are left
// out. Of the findings of one rule and severity, only those of the first files are there.
func (l *Lint) judgeUnrendered(snap *library.Snapshot, o *lint.Options, audited bool) []lint.Finding {
	var found []lint.Finding
	files := map[kind]int{}
	snap.Unrendered(func(path string, item syntax.Pos, data []byte) {
		f := binary(path, data)
		if f == nil {
			return
		}
		f.Made = audited // the MICs and the end are the audit's
		broken := map[kind]bool{}
		for _, x := range lint.Check(f, o) {
			if x.Severity == lint.Note && !l.Notes || audited && x.Rule.ID == "tlv-truncated" && x.Path == "" {
				continue
			}
			if item.Line > 0 {
				x.Related = append(x.Related, lint.Related{Spot: lint.Spot{Place: lint.Place{Pos: item}}, Text: "the item that serves it"})
			}
			k := kind{x.Rule, x.Severity}
			if !broken[k] {
				broken[k] = true
				files[k]++
			}
			if files[k] <= perRule {
				found = append(found, x)
			}
		}
	})
	for i := range found {
		k := kind{found[i].Rule, found[i].Severity}
		if n := files[k]; n > perRule {
			files[k] = 0 // say so once
			found[i].Text += fmt.Sprintf(" (and in %d more files)", n-perRule)
		}
	}
	return found
}

// lint reports what a CMTS or a modem would refuse or misread.
func (c *checker) lint(snap *library.Snapshot, lib library.Config) {
	o := c.Lint.Options
	o.MIB = lib.MIB
	found := judgeTemplates(snap, &o, &lint.Allows{Read: os.ReadFile})
	found = append(found, c.Lint.judgeUnrendered(snap, &o, true)...)
	lint.Sort(found)
	if err := c.Lint.write(found, c.Stdout, c.Stderr); err != nil {
		c.bad = cli.ErrReported
	}
}
