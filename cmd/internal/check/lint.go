package check

import (
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/judge"
	"dcs/cmd/internal/version"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/report"
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

// lint reports what a CMTS or a modem would refuse or misread.
func (c *checker) lint(snap *library.Snapshot, lib library.Config) {
	o := c.Lint.Options
	o.MIB = lib.MIB
	found := judge.Templates(snap, snap.Templates(), &o, &lint.Allows{Read: os.ReadFile}, 0)
	found = append(found, judge.Unrendered(snap, &o, true)...)
	lint.Sort(found)
	if err := c.Lint.write(found, c.Stdout, c.Stderr); err != nil {
		c.bad = cli.ErrReported
	}
}
