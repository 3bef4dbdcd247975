package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"dcs/render/lint"
	"dcs/render/lint/report"
	"dcs/render/syntax"
)

func findings() []lint.Finding {
	at := func(file string, line int) syntax.Pos { return syntax.Pos{File: file, Line: line, Col: 3} }
	return []lint.Finding{
		{
			Rule: lint.ByID("sf-ref-dup"), Severity: lint.Error, Text: "1 is taken", Remedy: "take another", When: [][]string{{"$plan is gold"}},
			Spot:    lint.Spot{Place: lint.Place{Pos: at("my flows.dcs", 5), Via: []syntax.Pos{at("a.dcs", 2)}}, Offset: 9, Path: "24.1"},
			Related: []lint.Related{{Spot: lint.Spot{Place: lint.Place{Pos: at("a.dcs", 7)}}, Text: "taken here"}},
		},
		{Rule: lint.ByID("max-cpe"), Severity: lint.Warning, Text: "0", Spot: lint.Spot{File: "x.cm", Offset: 3, Path: "18"}},
	}
}

func TestText(t *testing.T) {
	var b bytes.Buffer
	for _, f := range findings() {
		report.Text(&b, &f)
	}
	const want = "my flows.dcs:5:3: error: 1 is taken, when $plan is gold; take another [sf-ref-dup]\n" +
		"\ta.dcs:7:3: taken here\n\tincluded from a.dcs:2:3\nx.cm: offset 3 (18): warning: 0 [max-cpe]\n"
	if b.String() != want {
		t.Errorf("%s", &b)
	}
}

// The properties that SARIF 2.1.0 requires, by the sections of its objects, are there, and refer to what is there.
func TestSARIF(t *testing.T) {
	var b bytes.Buffer
	if err := report.SARIF(&b, "1.2.3", findings()); err != nil {
		t.Fatal(err)
	}
	var log map[string]any
	if err := json.Unmarshal(b.Bytes(), &log); err != nil {
		t.Fatal(err)
	}
	if log["version"] != "2.1.0" || !strings.Contains(log["$schema"].(string), "sarif-schema-2.1.0.json") { // 3.13.2, 3.13.3
		t.Errorf("%v %v", log["version"], log["$schema"])
	}
	run := log["runs"].([]any)[0].(map[string]any)                    // 3.13.4
	driver := run["tool"].(map[string]any)["driver"].(map[string]any) // 3.14.6, 3.18.2
	if driver["name"] != "dcs" {                                      // 3.19.8
		t.Errorf("%v", driver["name"])
	}
	rules := driver["rules"].([]any)
	for _, r := range rules {
		if r.(map[string]any)["id"] == "" { // 3.49.3
			t.Errorf("%v", r)
		}
	}
	for i, r := range run["results"].([]any) { // 3.14.23
		r := r.(map[string]any)
		rule := rules[int(r["ruleIndex"].(float64))].(map[string]any)                                                         // 3.27.6
		if rule["id"] != r["ruleId"] || r["ruleId"] != findings()[i].Rule.ID || r["message"].(map[string]any)["text"] == "" { // 3.27.5, 3.27.11
			t.Errorf("%v", r)
		}
		if level := r["level"]; level != "error" && level != "warning" && level != "note" { // 3.27.10
			t.Errorf("%v", level)
		}
		at := r["locations"].([]any)[0].(map[string]any)["physicalLocation"].(map[string]any) // 3.27.12, 3.28.3
		uri := at["artifactLocation"].(map[string]any)["uri"].(string)                        // 3.4.3
		region := at["region"].(map[string]any)                                               // 3.29.4
		switch i {
		case 0:
			if uri != "my%20flows.dcs" || region["startLine"] != 5.0 || region["startColumn"] != 3.0 || len(r["relatedLocations"].([]any)) != 2 {
				t.Errorf("%v", at)
			}
		case 1:
			if uri != "x.cm" || region["byteOffset"] != 3.0 {
				t.Errorf("%v", at)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	var b bytes.Buffer
	if err := report.JSON(&b, nil); err != nil || strings.Join(strings.Fields(b.String()), "") != `{"findings":[]}` {
		t.Errorf("%v, %s", err, &b)
	}
	out := report.Findings(findings())
	if f := out[0]; f.Line != 5 || f.Offset != nil || f.TLV != "24.1" || f.Included[0].File != "a.dcs" || f.Related[0].Line != 7 || !f.Recalled {
		t.Errorf("%+v", f)
	}
	if f := out[1]; f.Offset == nil || *f.Offset != 3 || f.Line != 0 {
		t.Errorf("%+v", f)
	}
}

// What is about a whole file has neither line nor offset, and what is about none has no location.
func TestWholeFile(t *testing.T) {
	list := []lint.Finding{lint.Told(lint.Error, lint.Spot{File: "dcs.yaml"}, "a"), lint.Told(lint.Warning, lint.Spot{}, "b")}
	var b bytes.Buffer
	if err := report.JSON(&b, list); err != nil {
		t.Fatal(err)
	}
	const want = `{"findings":[{"rule":"source","severity":"error","file":"dcs.yaml","text":"a"},{"rule":"source","severity":"warning","text":"b"}]}`
	if got := strings.Join(strings.Fields(b.String()), ""); got != want {
		t.Errorf("%s", got)
	}
	b.Reset()
	if err := report.SARIF(&b, "1", list); err != nil {
		t.Fatal(err)
	}
	text := strings.Join(strings.Fields(b.String()), "")
	if !strings.Contains(text, `"message":{"text":"a"},"locations":[{"physicalLocation":{"artifactLocation":{"uri":"dcs.yaml"}}}]}`) || !strings.Contains(text, `"message":{"text":"b"}}`) {
		t.Errorf("%s", text)
	}
}
