package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	api "dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/admin/console"
	"dcs/render/lint"
	"dcs/render/secret"
)

const (
	soundFlows = "UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }\nDsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }\n"
	soundFile  = "Main {\nNetworkAccess 1;\nMaxCPE 2;\n" + soundFlows + "}\n"
)

// slurp returns the contents of a file.
func slurp(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The manual's table is that of the rules.
func TestLintPage(t *testing.T) {
	if page := slurp(t, "doc/lint.md"); page != lint.Document(page) {
		t.Error("doc/lint.md has not the table of rules: go generate ./render/lint")
	}
}

// Single files are judged without a configuration.
func TestCheckFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	lay(t, map[string]string{
		"secret": "topsecret\n", "good.cfg": soundFile, "none.cfg": "Main { NetworkAccess 1; }", "empty.cfg": " \n", "junk.bin": "\x80\x81\x82",
		"warn.cfg": strings.Replace(soundFile, "MaxCPE 2;", "MaxCPE 0;", 1), "syntax.cfg": "Main { NetworkAccess 2; }",
		"allow.cfg":  strings.Replace(soundFile, "MaxCPE 2;", "MaxCPE 0; /* dcs:allow max-cpe one is meant */", 1),
		"above.dcs":  strings.Replace(soundFile, "Main {", "# dcs:allow max-cpe, qos-missing\nMain {", 1),
		"wrong.dcs":  "# dcs:allow max-cpu\n" + soundFile,
		"tier.dcs":   "Main ~ \"t-(\\d+)\" {\nNetworkAccess 1;\nMaxCPE 1;\nUsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down; }\nDsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }\n}",
		"latin.cfg":  "/* Z\xfcrich */ " + soundFile,
		"block.dcs":  "Block a { MaxCPE 2; # dcs:allow max-cpu\n}\n" + soundFile,
		"class.cfg":  strings.Replace(soundFile, "QosParamSetType 7;", `QosParamSetType 7; ServiceClassName "glod";`, 1),
		"device.cfg": strings.Replace(soundFile, "MaxCPE 2;", "TftpModemAddress 10.1.2.3; MaxCPE 2;", 1),
	})
	for _, secret := range []string{"", "secret"} {
		args := []string{"compile", "good.cfg", "-o", "good" + secret + ".cm"}
		if secret != "" {
			args = append(args, "--secret-file", secret)
		}
		if got := dcs("", args...); got.status != done {
			t.Fatalf("%+v", got)
		}
	}
	for _, tt := range []struct {
		args   string
		status int
		parts  []string // of stderr
	}{
		{"good.cfg", done, nil},
		{"good.cm goodsecret.cm", done, nil},
		{"--secret-file secret goodsecret.cm", done, nil},
		{"--secret-file secret good.cm", failed, []string{"good.cm: offset ", " (7): error: CmtsMic", "[mic-invalid]"}},
		{"none.cfg", failed, []string{"none.cfg:1:1: error: neither a class of service", "[qos-missing]"}},
		{"syntax.cfg", failed, []string{"syntax.cfg:1:22: error: NetworkAccess", "[source]"}},
		{"empty.cfg", failed, []string{"empty.cfg: error: the file is empty"}},
		{"junk.bin", failed, []string{"junk.bin: error: neither a text nor a boot file"}},
		{"absent.cfg", failed, []string{"absent.cfg: error: no such file"}},
		{"warn.cfg", done, []string{"warn.cfg:", "warning: MaxCPE 0 allows one CPE", "[max-cpe]"}},
		{"--strict warn.cfg", failed, []string{"[max-cpe]"}},
		{"--notes good.cfg", done, []string{"note: ", "[size-tftp]"}},
		{"wrong.dcs", done, []string{"wrong.dcs:1:1: warning: dcs:allow max-cpu: there is no such rule"}},
		{"--strict tier.dcs", done, nil},
		{"latin.cfg", done, nil},
		{"--strict --lint-allow max-cpe warn.cfg", done, nil},
		{"--lint-allow qos-missing,max-cpe none.cfg", done, nil},
		{"class.cfg", done, nil},
		{"--service-classes gold,silver class.cfg", failed, []string{"no class is called \"glod\"", "[scn-unknown]"}},
		{"device.cfg", done, []string{"[address-literal]"}},
	} {
		got := dcs("", append([]string{"check"}, strings.Fields(tt.args)...)...)
		if got.status != tt.status || tt.parts == nil && got.stderr != "" {
			t.Errorf("%s: %+v", tt.args, got)
		}
		for _, part := range tt.parts {
			if !strings.Contains(got.stderr, part) {
				t.Errorf("%s: %q is missing in %s", tt.args, part, got.stderr)
			}
		}
	}
	for args, part := range map[string]string{
		"--docsis 5.0 good.cfg": "no version of DOCSIS", "--format xml good.cfg": "want text, json or sarif",
		"--lint-allow source good.cfg": "no rule that can be left out",
		"--library . good.cfg":         "FILE is judged without a configuration",
	} {
		if got := dcs("", append([]string{"check"}, strings.Fields(args)...)...); got.status != misuse || !strings.Contains(got.stderr, part) {
			t.Errorf("%s: %+v", args, got)
		}
	}
	lay(t, map[string]string{
		"dcs.yaml": "library: lib\nstatic: static\nlint_allow: [qos-missing, arm-unreachable]\nservice_classes: [gold]\n", "static/none.cm": "\x03\x01\x01",
		"lib/blocks.dcs": "Block a { # dcs:allow max-cpu\n NetworkAccess 1; }\n",
		"lib/a.dcs":      `Main ~ "^(?P<a>x|y)$" { include a; select $a { x { MaxCPE 1; } z { MaxCPE 2; } default { } } }` + "\n" + strings.Replace(slurp(t, "class.cfg"), "Main", "Main \"class.cm\"", 1),
	})
	got := dcs("", "check", "--no-host", "--config", "dcs.yaml")
	for text, want := range map[string]bool{
		"lib/blocks.dcs:1:1: warning: dcs:allow max-cpu": true, "[qos-missing]": false, "[arm-unreachable]": false, "[scn-unknown]": true, "none.cm: the CM MIC (6) and the CMTS MIC (7) are missing": true,
	} {
		if strings.Contains(got.stderr, text) != want {
			t.Errorf("%q: want %v in %s", text, want, got.stderr)
		}
	}
	if got := dcs(soundFile, "check", "-"); got.status != done {
		t.Errorf("standard input: %+v", got)
	}
}

// checkDocument requires that a check that prints these lines writes them as one document.
func checkDocument(t *testing.T, lines string, status int, args ...string) {
	t.Helper()
	for _, format := range []string{"json", "sarif"} {
		got := dcs("", append([]string{"check", "--format", format}, args...)...)
		if os.Geteuid() != 0 {
			lines, got.stdout = receiveBuffer.ReplaceAllString(lines, ""), receiveBuffer.ReplaceAllString(got.stdout, "")
		}
		var doc struct {
			Findings []struct{ Text, File string }
			Runs     []struct {
				Results []struct{ Message struct{ Text string } }
			}
		}
		if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.status != status || got.stderr != "" {
			t.Errorf("%s: %v, %+v; want the exit status %d", format, err, got, status)
			return
		}
		var texts []string
		for _, f := range doc.Findings {
			texts = append(texts, f.Text)
			if f.File != "" && !strings.Contains(lines, f.File) && f.File != "dcs.yaml" {
				t.Errorf("no line has the file %q", f.File)
			}
		}
		if len(doc.Runs) > 0 {
			for _, r := range doc.Runs[0].Results {
				texts = append(texts, r.Message.Text)
			}
		}
		var told []string
		for line := range strings.Lines(lines) {
			if line = strings.TrimSpace(line); line != "" {
				told = append(told, line)
			}
		}
		for _, line := range told {
			if !slices.ContainsFunc(texts, func(text string) bool { return strings.Contains(line, text) }) {
				t.Errorf("%s lacks the line %q:\n%s", format, line, got.stdout)
			}
		}
		if len(texts) != len(told) {
			t.Errorf("%s has %d findings, the text %d lines:\n%s\n%s", format, len(texts), len(told), got.stdout, lines)
		}
	}
}

// However a check ends, what it says is one document.
func TestCheckDocuments(t *testing.T) {
	for name, tt := range map[string]struct {
		files map[string]string
		args  []string
	}{
		"no such configuration":      {nil, []string{"--config", "none.yaml"}},
		"no YAML":                    {map[string]string{"dcs.yaml": "a: [\n"}, []string{"--config", "dcs.yaml"}},
		"no such file":               {nil, []string{"none.cfg"}},
		"neither text nor boot file": {map[string]string{"x.cfg": "\x00\x01\x02"}, []string{"x.cfg"}},
		"no such secret":             {map[string]string{"x.cfg": "Main { NetworkAccess 1; }"}, []string{"--secret-file", "none", "x.cfg"}},
		"no such MIB path":           {map[string]string{"x.cfg": "Main { NetworkAccess 1; }"}, []string{"--mib-path", "none", "x.cfg"}},
		"sources that are down":      {map[string]string{"dcs.yaml": "library: lib\ndevices: [{csv: {path: none.csv, name: a}}, {csv: {path: bad.csv, name: b}}]\n", "bad.csv": "x,y\n1,2\n", "lib/a.cfg": "Main { NetworkAccess 1; }"}, []string{"--no-host", "--config", "dcs.yaml"}},
		"no source is opened":        {map[string]string{"dcs.yaml": "library: lib\ndevices: [{csv: {path: none.csv, name: a}}]\n", "lib/a.cfg": "Main { NetworkAccess 1; }"}, []string{"--no-host", "--config", "dcs.yaml", "--offline"}},
		"static files of all kinds":  {map[string]string{"dcs.yaml": "static: [s]\nsecret_file: k\n", "k": "x", "s/a.cm": "\x03\x01\x01\xff", "s/b.cm": "\x03\x09\x01", "s/c.cm": ""}, []string{"--no-host", "--config", "dcs.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			lay(t, tt.files)
			got := dcs("", append([]string{"check"}, tt.args...)...)
			checkDocument(t, got.stderr, got.status, tt.args...)
		})
	}
}

// With --devices a rate is judged by what devices have; without, it may be anything.
func TestCheckValues(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{
		"dcs.yaml": "library: lib\ndevices: [{csv: {path: a.csv, name: a}}, {csv: {path: b.csv, name: b}}]\ndevices_dir: state\n",
		"a.csv":    "mac,down\n02:00:00:00:00:01,10\n", "b.csv": "class,mac,down\ngold,02:00:00:00:00:02,DOWN\n",
		"lib/a.dcs": strings.Replace(strings.Replace(soundFile, "Main", `Main "a.cm"`, 1), "QosParamSetType 7;", "QosParamSetType 7; MaxTrafficBurst 100000; MaxRateSustained $down * 1M;", 1),
	})
	for _, tt := range []struct {
		down, args, want string
	}{
		{"20", "--devices", ""},
		{"9000", "--devices", "warning: MaxRateSustained (24.8) is over 4,294,967,295, for some values of $down"},
		{"9000", "", ""},
		{"9000", "--notes", "note: MaxRateSustained (24.8) is over 4,294,967,295, for some values of $down"},
	} {
		lay(t, map[string]string{"b.csv": "class,mac,down\ngold,02:00:00:00:00:02," + tt.down + "\n"})
		got := dcs("", slices.Concat([]string{"check", "--no-host", "--config", "dcs.yaml"}, strings.Fields(tt.args))...)
		if got.status != done || strings.Contains(got.stderr, "[rate-overflow]") != (tt.want != "") || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s %s: %+v; want %q", tt.down, tt.args, got, tt.want)
		}
	}
}

// A server judges its files by what its devices have.
func TestCheckCallValues(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	admin := freeAddress(t)
	put := func(name, text string) {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("dcs.yaml", "library: lib\ntransport: socket\nadmin: "+admin+"\ndevices: [{csv: {path: a.csv, name: a}}]\ndevices_dir: state\n")
	put("a.csv", "mac,down\n02:00:00:00:00:01,10\n02:00:00:00:00:02,9000\n")
	put("lib/a.dcs", strings.Replace(strings.Replace(soundFile, "Main", `Main "a.cm"`, 1), "QosParamSetType 7;", "QosParamSetType 7; MaxTrafficBurst 100000; MaxRateSustained $down * 1M;", 1))
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"))
	p.await("devices loaded")
	var c console.Check
	if err := api.Dial("http://"+admin, secret.Text{}).Get(t.Context(), "/api/check", &c); err != nil || c.Warnings != 1 || len(c.Findings) != 1 || c.Findings[0].Rule != "rate-overflow" {
		t.Errorf("%+v, %v", c, err)
	}
}

// Findings are one document on standard output, with all that the text has.
func TestCheckFormats(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{"none.cfg": "Main {\n NetworkAccess 1; }"})
	got := dcs("", "check", "--format", "json", "none.cfg")
	var doc struct {
		Findings []struct {
			Rule, Severity, File, Text, Remedy string
			Line, Column                       int
		}
	}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.status != failed || len(doc.Findings) != 1 {
		t.Fatalf("%v, %+v", err, got)
	}
	if f := doc.Findings[0]; f.Rule != "qos-missing" || f.Severity != "error" || f.File != "none.cfg" || f.Line != 1 || f.Column != 1 || f.Text == "" || f.Remedy == "" {
		t.Errorf("%+v", f)
	}
	got = dcs("", "check", "--format", "sarif", "none.cfg")
	var log struct {
		Runs []struct{ Results []struct{ RuleID string } }
	}
	if err := json.Unmarshal([]byte(got.stdout), &log); err != nil || len(log.Runs) != 1 || log.Runs[0].Results[0].RuleID != "qos-missing" {
		t.Errorf("%v, %+v", err, got)
	}
	lay(t, map[string]string{"lib/none.cfg": "Main { NetworkAccess 1; }"})
	got = dcs("", "check", "--format", "json", "--library", "lib", "--no-host")
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.status != failed || len(doc.Findings) != 3 || doc.Findings[2].File != filepath.Join("lib", "none.cfg") {
		t.Errorf("a library: %v, %+v", err, got)
	}
}

// The table names every rule, in both forms.
func TestCheckRules(t *testing.T) {
	text, doc := dcs("", "check", "--rules"), dcs("", "check", "--rules", "--format", "json")
	var table struct {
		Rules []struct{ ID, Severity, Meaning, Remedy, Source string }
	}
	if err := json.Unmarshal([]byte(doc.stdout), &table); err != nil || len(table.Rules) != len(lint.Rules()) {
		t.Fatalf("%v, %d rules", err, len(table.Rules))
	}
	for _, r := range table.Rules {
		if !strings.Contains(text.stdout, r.ID+" ") || r.Severity == "" || r.Meaning == "" || r.Remedy == "" || r.Source == "" {
			t.Errorf("%+v", r)
		}
	}
}

// An error fails the check however many static files before it have a note or a warning of its rule; a finding says how many more files
// have it.
func TestCheckManyUnrendered(t *testing.T) {
	t.Chdir(t.TempDir())
	both := strings.Replace(soundFile, "DsServiceFlowRef 2", "DsServiceFlowRef 1", 1)
	lay(t, map[string]string{
		"note.cfg": both, "dup.cfg": strings.Replace(soundFile, "MaxCPE 2;", "MaxCPE 2; MaxCPE 2;", 1),
		"bad.cfg": strings.Replace(both, "NetworkAccess 1;", "NetworkAccess 1; MaxCPE 3; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }", 1),
	})
	for _, name := range []string{"note", "dup", "bad"} {
		if got := dcs("", "compile", name+".cfg", "-o", name+".cm"); got.status != done {
			t.Fatalf("%+v", got)
		}
	}
	files := map[string]string{}
	for i := range 8 {
		files[fmt.Sprintf("s/a%d.cm", i)], files[fmt.Sprintf("s/b%d.cm", i)] = slurp(t, "note.cm"), slurp(t, "dup.cm")
	}
	lay(t, files)
	if got := dcs("", "check", "--static", "s", "--no-host"); got.status != done || !strings.Contains(got.stderr, "(and in 3 more files)") || strings.Contains(got.stderr, "s/a0.cm") {
		t.Errorf("%+v", got)
	}
	lay(t, map[string]string{"s/z.cm": slurp(t, "bad.cm")})
	for _, more := range [][]string{nil, {"--notes"}} {
		got := dcs("", append([]string{"check", "--static", "s", "--no-host"}, more...)...)
		for _, rule := range []string{"[dup-singleton]", "[sf-ref-dup]"} {
			found := false
			for line := range strings.Lines(got.stderr) {
				found = found || strings.HasPrefix(line, "s/z.cm: offset ") && strings.Contains(line, ": error: ") && strings.Contains(line, rule)
			}
			if !found {
				t.Errorf("%q: no %s in %s", more, rule, got.stderr)
			}
		}
		if got.status != failed {
			t.Errorf("%q: status %d", more, got.status)
		}
	}
}

// Of a template that can make very many files not all are judged, which is told.
func TestCheckNotAll(t *testing.T) {
	t.Chdir(t.TempDir())
	src := "\nMain \"x\" {\nNetworkAccess 1;\n" + soundFlows
	for i := range 12 {
		src += fmt.Sprintf("select $v%d { a { } default { GenericTLV TlvCode 2%02d TlvValue 0x01; } }\n", i, i+30)
	}
	lay(t, map[string]string{"a.dcs": src + "}\n", "b.dcs": "# dcs:allow not-all-judged" + src + "}\n"})
	got := dcs("", "check", "a.dcs")
	if want := "a.dcs:2:1: warning: only the first 1024 of the files that the template can make were judged; "; got.status != done || strings.Count(got.stderr, "[not-all-judged]") != 1 || !strings.Contains(got.stderr, want) {
		t.Errorf("%+v", got)
	}
	if got := dcs("", "check", "b.dcs"); got.status != done || strings.Contains(got.stderr, "not-all-judged") {
		t.Errorf("%+v", got)
	}
}

// Static files and Binary items are judged as templates are: a wrong MIC, a file that is broken off, and what rules find.
func TestCheckUnrendered(t *testing.T) {
	t.Chdir(t.TempDir())
	lay(t, map[string]string{"good.cfg": soundFile, "none.cfg": "Main { NetworkAccess 1; }"})
	for _, name := range []string{"good", "none"} {
		if got := dcs("", "compile", name+".cfg", "-o", name+".cm"); got.status != done {
			t.Fatalf("%+v", got)
		}
	}
	good := slurp(t, "good.cm")
	lay(t, map[string]string{
		"s/good.cm": good, "s/bad.cm": good[:len(good)-30] + "x" + good[len(good)-29:], "s/cut.cm": good[:len(good)-12], "s/none.cm": slurp(t, "none.cm"),
		"lib/b.dcs": "Binary \"as-it-is\" from \"none.cm\" {}\n", "lib/none.cm": slurp(t, "none.cm"),
	})
	got := dcs("", "check", "--static", "s", "--library", "lib", "--no-host")
	for _, part := range []string{"s/bad.cm", "s/cut.cm", "s/none.cm: error: neither a class of service", "lib/none.cm: error: neither a class of service", "lib/b.dcs:1:1: the item that serves it"} {
		if !strings.Contains(got.stderr, part) {
			t.Errorf("%q is missing in %s", part, got.stderr)
		}
	}
	if got.status != failed || strings.Contains(got.stderr, "s/good.cm") {
		t.Errorf("%+v", got)
	}
}
