// Package report writes findings of lint as text, JSON or SARIF 2.1.0.
package report

import (
	"encoding/json"
	"fmt"
	"io"

	"dcs/render/lint"
	"dcs/render/syntax"
)

// Text writes a finding as "position: severity: text; remedy [rule]", followed by a line for each position that it refers to.
func Text(w io.Writer, f *lint.Finding) {
	fmt.Fprintf(w, "%s: %s: %s", f.Spot, f.Severity, f.Text)
	if arms := f.Arms(); arms != "" {
		fmt.Fprintf(w, ", %s", arms)
	}
	if f.Remedy != "" {
		fmt.Fprintf(w, "; %s", f.Remedy)
	}
	fmt.Fprintf(w, " [%s]\n", f.Rule.ID)
	for _, r := range f.Related {
		fmt.Fprintf(w, "\t%s: %s\n", r.Spot, r.Text)
	}
	for _, p := range f.Place.Via {
		fmt.Fprintf(w, "\tincluded from %s\n", p)
	}
}

// Spot is a position as JSON: line and column of a text, the offset in a binary file, or a whole file. It may be none.
type Spot struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Column   int    `json:"column,omitempty"`
	Offset   *int   `json:"offset,omitempty"`
	TLV      string `json:"tlv,omitempty"` // codes from the top, such as "24.1"
	Text     string `json:"text,omitempty"`
	Included []Spot `json:"included_from,omitempty"` // the innermost first
}

// Finding is a finding as JSON.
type Finding struct {
	Rule     string `json:"rule"`
	Severity string `json:"severity"`
	Spot
	Remedy   string     `json:"remedy,omitempty"`
	When     [][]string `json:"when,omitempty"`
	Related  []Spot     `json:"related,omitempty"`
	Recalled bool       `json:"recalled,omitempty"` // the rule is known from memory of a specification
}

func position(p syntax.Pos) Spot { return Spot{File: p.File, Line: p.Line, Column: p.Col} }

func spot(s lint.Spot, text string) Spot {
	out := position(s.Place.Pos)
	if s.Place.Pos.Line == 0 {
		out = Spot{File: s.File}
		if s.Offset > 0 || s.Path != "" {
			out.Offset = &s.Offset
		}
	}
	out.TLV, out.Text = s.Path, text
	for _, p := range s.Place.Via {
		out.Included = append(out.Included, position(p))
	}
	return out
}

// Findings returns findings as they are in JSON; never nil.
func Findings(list []lint.Finding) []Finding {
	out := make([]Finding, len(list))
	for i := range list {
		f := &list[i]
		out[i] = Finding{
			Rule: f.Rule.ID, Severity: f.Severity.String(), Spot: spot(f.Spot, f.Text), Remedy: f.Remedy, When: f.When, Recalled: f.Rule.Recalled,
		}
		for _, r := range f.Related {
			out[i].Related = append(out[i].Related, spot(r.Spot, r.Text))
		}
	}
	return out
}

// JSON writes findings as {"findings": […]}.
func JSON(w io.Writer, list []lint.Finding) error {
	return encode(w, struct {
		Findings []Finding `json:"findings"`
	}{Findings(list)})
}

// Rule is a row of the table as JSON.
type Rule struct {
	ID       string   `json:"id"`
	Severity string   `json:"severity"`
	Since    string   `json:"since,omitempty"`
	Until    string   `json:"until,omitempty"`
	Files    []string `json:"files"`
	Recalled bool     `json:"recalled,omitempty"`
	Cite     string   `json:"source"`
	Meaning  string   `json:"meaning"`
	Remedy   string   `json:"remedy"`
}

// Rules writes the table of rules as {"rules": […]}.
func Rules(w io.Writer) error {
	var out []Rule
	for _, r := range lint.Rules() {
		row := Rule{
			ID: r.ID, Severity: r.Severity.String(), Since: r.Since.String(), Until: r.Until.String(),
			Recalled: r.Recalled, Cite: r.Cite, Meaning: r.Meaning, Remedy: r.Remedy,
		}
		for _, d := range r.Dialects() {
			row.Files = append(row.Files, d.String())
		}
		out = append(out, row)
	}
	return encode(w, struct {
		Rules []Rule `json:"rules"`
	}{out})
}

func encode(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}
