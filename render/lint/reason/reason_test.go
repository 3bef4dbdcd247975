package reason

import (
	"slices"
	"strings"
	"testing"

	"dcs/render/tlv"
)

// tree decodes a file of the given octets.
func tree(t *testing.T, octets ...byte) *tlv.Tree {
	t.Helper()
	out, err := tlv.DecodeAs(tlv.CM, append(octets, 255))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func judged(string) bool { return true }

func diagnose(t *testing.T, word string, f *File) *Diagnosis {
	t.Helper()
	w, err := Parse(word)
	if err != nil {
		t.Fatal(err)
	}
	return Diagnose(w, f)
}

// texts returns the texts of the causes of a grade.
func texts(d *Diagnosis, g Grade) string {
	var out []string
	for _, c := range d.Causes {
		if c.Grade == g {
			out = append(out, c.Text)
		}
	}
	return strings.Join(out, "\n")
}

// Whatever the word, a fault that lint has found and that explains it comes first, with its statement.
func TestFoundFirst(t *testing.T) {
	for _, w := range words() {
		for _, c := range w.causes {
			for _, rule := range strings.Fields(c.rules) {
				f := &File{Tree: tree(t, 3, 1, 1, 43, 5, 8, 3, 0, 0, 1), Judged: judged, Findings: []Finding{
					{Rule: "no-such-rule", Error: true, Where: "a.dcs:1:1", Text: "something else"},
					{Rule: rule, Error: true, Where: "a.dcs:7:3", Text: "the fault"},
				}}
				d := Diagnose(w, f)
				first := d.Causes[0]
				if first.Grade != Found || !slices.Equal(first.Evidence, []Evidence{{"a.dcs:7:3", "the fault", rule}}) {
					t.Errorf("%s with %s: first %+v", w.Text, rule, first)
				}
			}
		}
	}
}

func TestDiagnose(t *testing.T) {
	reserved := []byte{24, 10, 1, 2, 0, 1, 10, 4, 0, 0, 1, 0}
	flow := []byte{3, 1, 1, 24, 7, 1, 2, 0, 1, 6, 1, 7}
	for _, tt := range []struct {
		name, word string
		f          File
		found      string // all that is found
		possible   string // a part of what is possible
		not        string // a part of what is ruled out
	}{
		{"a reserved rate", "reject(c)", File{Tree: tree(t, reserved...), Judged: judged}, "", "a reserved rate", "no service class of this name"},
		{"no reserved rate", "reject(c)", File{Tree: tree(t, flow...), Judged: judged}, "", "", "a reserved rate"},
		{"a reserved rate of 0", "reject(c)", File{Tree: tree(t, 24, 6, 10, 4, 0, 0, 0, 0), Judged: judged}, "", "", "a reserved rate"},
		{"a class name", "4", File{Tree: tree(t, 24, 7, 4, 5, 'g', 'o', 'l', 'd', 0), Judged: judged}, "", "no service class of this name", "class of service of DOCSIS 1.0"},
		{"a class of service", "I112", File{Tree: tree(t, 4, 3, 1, 1, 1), Judged: judged}, "", "class of service of DOCSIS 1.0", "runs past the end"},
		{"no secret", "reject(m)", File{Tree: tree(t, flow...), Judged: judged, Facts: map[Fact]string{NoSecret: ""}}, "empty secret", "", "the CMTS MIC is wrong"},
		{"a wrong MIC", "I05.0", File{Tree: tree(t, flow...), Judged: judged, Facts: map[Fact]string{BadCMTSMIC: ""}}, "the CMTS MIC is wrong", "", "empty secret"},
		{"a wrong CM MIC", "D08.0", File{Tree: tree(t, flow...), Judged: judged, Facts: map[Fact]string{BadModemMIC: ""}}, "own check", "", "too large"},
		{"network access off", "online(d)", File{Tree: tree(t, 3, 1, 0)}, "", "NetworkAccess 0", "unknown"},
		{"an unknown device", "online(d)", File{Tree: tree(t, 3, 1, 0), Facts: map[Fact]string{UnknownDevice: ""}}, "unknown, and gets", "NetworkAccess 0", ""},
		{"no time", "reject(ts)", File{Tree: tree(t, flow...), Judged: judged}, "", "", "the time in the file is constant"},
		{"a time", "reject(ts)", File{Tree: tree(t, 19, 4, 1, 2, 3, 4), Judged: judged}, "", "clock of the server", "constant"},
		{"another's address", "reject(ip)", File{Tree: tree(t, 20, 4, 10, 0, 0, 1), Judged: judged, Facts: map[Fact]string{WrongAddress: "elsewhere"}}, "records of devices", "another address", "constant"},
		{"no file", "init(o)", File{Facts: map[Fact]string{NoFile: "no template has this name"}}, "given no file", "", ""},
		{"a file", "D06.0", File{Tree: tree(t, flow...)}, "", "", "given no file"},
		{"BPI+ off", "reject(pk)", File{Tree: tree(t, 29, 1, 0), Judged: judged}, "", "turns BPI+ off", "timers"},
		{"BPI+ on", "BPKM 6", File{Tree: tree(t, 29, 1, 1), Judged: judged}, "", "", ""},
		{"an object", "73040100", File{Tree: tree(t, 11, 2, 48, 0), Judged: judged}, "", "does not have", ""},
		{"a certificate", "E206", File{Tree: tree(t, 9, 1, 'x'), Judged: judged, Findings: []Finding{{Rule: "sw-no-cvc", Text: "none"}}}, "cannot be verified", "", ""},
		{"a note", "reject(c)", File{Tree: tree(t, flow...), Judged: judged, Findings: []Finding{{Rule: "sf-ref-dup", Note: true, Text: "across directions"}}}, "", "", "two flows have the same reference"},
		{"a note that says it", "online(d)", File{Tree: tree(t, 3, 1, 0), Judged: judged, Findings: []Finding{{Rule: "net-access-off", Note: true, Text: "off"}}}, "NetworkAccess 0", "", ""},
		{"software", "E101", File{Tree: tree(t, 9, 1, 'x'), Judged: judged}, "", "cannot be verified", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := diagnose(t, tt.word, &tt.f)
			if got := texts(d, Found); tt.found == "" && got != "" || !strings.Contains(got, tt.found) || strings.Contains(got, "\n") {
				t.Errorf("found %q, want %q", got, tt.found)
			}
			if got := texts(d, Allowed); !strings.Contains(got, tt.possible) {
				t.Errorf("possible %q, want %q", got, tt.possible)
			}
			if got := strings.Join(d.RuledOut, "\n"); !strings.Contains(got, tt.not) {
				t.Errorf("ruled out %q, want %q", got, tt.not)
			}
			if !slices.IsSortedFunc(d.Causes, func(a, b Cause) int { return int(a.Grade) - int(b.Grade) }) {
				t.Errorf("the grades are out of order: %+v", d.Causes)
			}
		})
	}
}

// Errors precede warnings; the likelier of two errors comes first, and evidence is bounded.
func TestOrder(t *testing.T) {
	f := &File{Tree: tree(t, 3, 1, 1), Judged: judged, Findings: []Finding{{Rule: "rate-reserved", Text: "w"}, {Rule: "cl-flow", Error: true, Text: "e"}, {Rule: "sf-ref-dup", Error: true, Text: "e"}}}
	for range 20 {
		f.Findings = append(f.Findings, Finding{Rule: "rate-min-over-max", Text: "w"})
	}
	d := diagnose(t, "reject(c)", f)
	var got []string
	for _, c := range d.Causes {
		if c.Grade == Found {
			got = append(got, c.Evidence[0].Rule)
		}
		if len(c.Evidence) > maxEvidence {
			t.Errorf("%d pieces of evidence", len(c.Evidence))
		}
	}
	if want := []string{"sf-ref-dup", "cl-flow", "rate-min-over-max", "rate-reserved"}; !slices.Equal(got, want) {
		t.Errorf("order %v, want %v", got, want)
	}
}

// A rule that did not run rules nothing out; the place of a TLV is told.
func TestUnjudged(t *testing.T) {
	f := &File{Tree: tree(t, 3, 1, 1, 24, 6, 10, 4, 0, 0, 1, 0)}
	d := diagnose(t, "reject(c)", f)
	if !strings.Contains(texts(d, Outside), "two flows have the same reference") {
		t.Errorf("ruled out without lint: %v", d.RuledOut)
	}
	i := slices.IndexFunc(d.Causes, func(c Cause) bool { return c.Grade == Allowed })
	if want := []Evidence{{Where: "offset 5", Text: "MinReservedRate (24.10)"}}; !slices.Equal(d.Causes[i].Evidence, want) {
		t.Errorf("evidence %+v, want %+v", d.Causes[i].Evidence, want)
	}
	f.Place = func(offset int) string {
		if offset == 5 {
			return "gold.dcs:3:9"
		}
		return ""
	}
	if d := diagnose(t, "reject(c)", f); d.Causes[i].Evidence[0].Where != "gold.dcs:3:9" {
		t.Errorf("evidence %+v", d.Causes[i].Evidence)
	}
}
