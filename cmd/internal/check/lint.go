package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"text/tabwriter"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/judge"
	"dcs/cmd/internal/strictyaml"
	"dcs/cmd/internal/version"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/report"
	"dcs/render/syntax"
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

// judge returns the findings that are shown, and [cli.ErrReported] if some of list fail the check.
func (l *Lint) judge(list []lint.Finding) (shown []lint.Finding, bad error) {
	for _, f := range list {
		if f.Severity == lint.Error || l.Strict && f.Severity == lint.Warning {
			bad = cli.ErrReported
		}
		if f.Severity > lint.Note || l.Notes {
			shown = append(shown, f)
		}
	}
	return shown, bad
}

// write writes findings: a document, or lines.
func (l *Lint) write(list []lint.Finding, stdout, stderr io.Writer) error {
	lint.Sort(list)
	switch l.Format {
	case "json":
		return report.JSON(stdout, list)
	case "sarif":
		return report.SARIF(stdout, version.String(), list)
	}
	for i := range list {
		report.Text(stderr, &list[i])
	}
	return nil
}

// Refused returns an error that precludes the check, after it has written the document that it may be.
func (l *Lint) Refused(file string, err error, stdout io.Writer) error {
	if err == nil || !l.Documents() {
		return err
	}
	return errors.Join(l.write(findings(file, err), stdout, nil), cli.ErrReported)
}

// findings returns the parts of an error, each with its position, or that it is of the file ("": of none).
func findings(file string, err error) []lint.Finding {
	var out []lint.Finding
	for _, err := range assemble.Flatten(err) {
		at, text := lint.Spot{File: file}, err.Error()
		var source *syntax.Error
		var setting *strictyaml.Error
		var path *fs.PathError
		switch {
		case errors.As(err, &source):
			at, text = lint.Spot{Place: lint.Place{Pos: source.Pos}}, source.Msg
		case errors.As(err, &setting) && setting.Line > 0:
			at, text = lint.Spot{Place: lint.Place{Pos: syntax.Pos{File: file, Line: setting.Line, Col: setting.Column}}}, setting.Message
		case errors.As(err, &path):
			at.File = path.Path
		}
		out = append(out, lint.Told(lint.Error, at, text))
	}
	return out
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

// lint reports what a CMTS or a modem would refuse or misread.
func (c *checker) lint(snap *library.Snapshot, lib library.Config) {
	o := c.Lint.Options
	o.MIB = lib.MIB
	o.Classes, o.Without = c.cfg.ServiceClasses, c.cfg.LintAllow
	w := judge.Work{Library: snap, Devices: c.values, Options: o, Allows: &lint.Allows{Read: os.ReadFile}}
	found := w.Run(context.Background()).List
	found = append(found, judge.Unrendered(snap, &o, true)...)
	shown, bad := c.Lint.judge(found)
	c.bad = cmp.Or(c.bad, bad)
	if c.Lint.Documents() {
		c.found = append(c.found, shown...)
	} else if err := c.Lint.write(shown, c.Stdout, c.Stderr); err != nil {
		c.bad = cli.ErrReported
	}
}
