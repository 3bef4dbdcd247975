package report

import (
	"io"
	"net/url"
	"path/filepath"

	"dcs/render/lint"
)

// The objects of SARIF 2.1.0 (OASIS, 27 March 2020) that a log of findings needs, with their section.
type (
	sarifLog struct { // 3.13
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct { // 3.14
		Tool struct { // 3.18
			Driver sarifDriver `json:"driver"`
		} `json:"tool"`
		Results []sarifResult `json:"results"`
	}
	sarifDriver struct { // 3.19
		Name    string      `json:"name"`
		Version string      `json:"version,omitempty"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct { // 3.49
		ID      string       `json:"id"`
		Short   sarifMessage `json:"shortDescription"`
		Help    sarifMessage `json:"help"`
		Default struct {     // 3.50
			Level string `json:"level"`
		} `json:"defaultConfiguration"`
	}
	sarifMessage struct { // 3.11
		Text string `json:"text"`
	}
	sarifResult struct { // 3.27
		RuleID    string          `json:"ruleId"`
		RuleIndex int             `json:"ruleIndex"`
		Level     string          `json:"level"`
		Message   sarifMessage    `json:"message"`
		Locations []sarifLocation `json:"locations,omitempty"`
		Related   []sarifLocation `json:"relatedLocations,omitempty"`
	}
	sarifLocation struct { // 3.28
		Physical struct { // 3.29
			Artifact struct { // 3.4
				URI string `json:"uri"`
			} `json:"artifactLocation"`
			Region *sarifRegion `json:"region,omitempty"` // nil: the whole file
		} `json:"physicalLocation"`
		Message *sarifMessage `json:"message,omitempty"`
	}
	sarifRegion struct { // 3.30
		Line   int  `json:"startLine,omitempty"`
		Column int  `json:"startColumn,omitempty"`
		Offset *int `json:"byteOffset,omitempty"`
	}
)

const sarifSchema = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

// SARIF writes findings as a log in SARIF 2.1.0 with the whole table of rules. Version is that of the program.
func SARIF(w io.Writer, version string, list []lint.Finding) error {
	run := sarifRun{Results: []sarifResult{}}
	run.Tool.Driver = sarifDriver{Name: "dcs", Version: version}
	index := map[string]int{}
	for i, r := range lint.Rules() {
		row := sarifRule{ID: r.ID, Short: sarifMessage{r.Meaning}, Help: sarifMessage{"To mend it: " + r.Remedy + ". Source: " + r.Cite}}
		row.Default.Level = r.Severity.String()
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, row)
		index[r.ID] = i
	}
	for i, f := range Findings(list) {
		text := f.Text
		if arms := list[i].Arms(); arms != "" {
			text += ", " + arms
		}
		if f.Remedy != "" {
			text += "; " + f.Remedy
		}
		res := sarifResult{
			RuleID: f.Rule, RuleIndex: index[f.Rule], Level: f.Severity, Message: sarifMessage{text},
		}
		if f.File != "" {
			res.Locations = []sarifLocation{location(f.Spot, "")}
		}
		for _, s := range f.Related {
			res.Related = append(res.Related, location(s, s.Text))
		}
		for _, s := range f.Included {
			res.Related = append(res.Related, location(s, "included from here"))
		}
		run.Results = append(run.Results, res)
	}
	return encode(w, sarifLog{Schema: sarifSchema, Version: "2.1.0", Runs: []sarifRun{run}})
}

func location(s Spot, text string) (l sarifLocation) {
	l.Physical.Artifact.URI = (&url.URL{Path: filepath.ToSlash(s.File)}).String()
	if s.Line > 0 || s.Offset != nil {
		l.Physical.Region = &sarifRegion{Line: s.Line, Column: s.Column, Offset: s.Offset}
	}
	if text != "" {
		l.Message = &sarifMessage{text}
	}
	return l
}
