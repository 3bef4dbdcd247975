package lint_test

import (
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/lint"
	"dcs/render/syntax"
)

// count returns how many findings of a rule and a severity there are.
func count(list []lint.Finding, rule string, s lint.Severity) (n int) {
	for _, f := range list {
		if f.Rule.ID == rule && f.Severity == s {
			n++
		}
	}
	return n
}

// However many findings there are, an error is among them, and the last one says how many are not shown.
func TestBounds(t *testing.T) {
	warnings := strings.Repeat("120102 ", 31)                                                      // MaxCPE twice, with one value
	errors := strings.Repeat("160c 010100 03020009 0903010000", 30)                                // classifiers of no flow
	notes := strings.Repeat("1100 ", 30)                                                           // incomplete BaselinePrivacy
	many := notes + errors + warnings + strings.Repeat("180401020000 190401020000 1a00 3c00 ", 30) // more than 200
	for name, tt := range map[string]struct{ octets, rule, more string }{
		"warnings before an error": {"0x" + warnings + "120103", "dup-singleton", "and 10 more, "},
		"of one rule":              {"0x" + errors, "cl-flow", "and 10 more, "},
		"of all rules":             {"0x" + many + "2a0100 480100 ff 01", "end-missing", "more, "},
	} {
		got := lint.Check(file(t, tt.octets), &lint.Options{})
		if count(got, tt.rule, lint.Error) == 0 || len(got) > 200 {
			t.Errorf("%s: %d errors among %d", name, count(got, tt.rule, lint.Error), len(got))
		}
		more := 0
		for _, f := range got {
			if strings.HasPrefix(f.Text, "and ") && strings.Contains(f.Text, tt.more) {
				more++
			}
		}
		if more == 0 {
			t.Errorf("%s: nothing says how many more there are", name)
		}
	}
	if got := lint.Check(file(t, "0x"+warnings), &lint.Options{}); count(got, "dup-singleton", lint.Warning) != 21 {
		t.Errorf("%d of one rule", count(got, "dup-singleton", lint.Warning))
	}
}

// What is skipped does not count.
func TestSkip(t *testing.T) {
	f := file(t, "0x"+strings.Repeat("120102 ", 30)+"120103")
	f.Made = true
	got := lint.Check(f, &lint.Options{Skip: func(x *lint.Finding) bool { return x.Offset < len(f.Octets)-3 }})
	if len(got) != 1 || got[0].Rule.ID != "dup-singleton" || got[0].Severity != lint.Error {
		t.Errorf("%+v", got)
	}
}

// What a file lacks is not told if not all of it is known.
func TestPartial(t *testing.T) {
	up := `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } `
	for _, tt := range []struct{ rule, src string }{
		{"sf-one-direction", base + up},
		{"cl-flow", sound + `UsPacketClass { ClassifierRef 1; ServiceFlowRef 9; }`},
		{"asf-dangling", base + up + `DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; DownstreamAggregateServiceFlowReference 5; }`},
		{"row-status", sound + `SnmpMibObject docsDevFilterIpControl.1 Integer 1;`},
		{"row-incomplete", sound + `SnmpMibObject docsDevNmAccessStatus.1 Integer 4;`},
		{"sw-no-cvc", sound + `SwUpgradeFilename "a.bin";`},
		{"sw-pair", sound + `SwUpgradeServer 10.1.2.3;`},
		{"submgt-inactive", sound + `SubMgmtFilters 1,2,0,0;`},
		{"phs-refs", sound + `PHS { PHSClassifierRef 2; PHSServiceFlowRef 1; }`},
		{"bpi-incomplete", sound + `BaselinePrivacy { AuthTimeout 10; }`},
		{"qos-missing", base},
		{"sf-ref", sound + `UsServiceFlow { QosParamSetType 7; }`},
	} {
		f := file(t, tt.src)
		o := &lint.Options{MIB: mib.Default()}
		if find(lint.Check(f, o), tt.rule) == nil {
			t.Errorf("%s: not found in %s", tt.rule, tt.src)
		}
		f.Partial = true
		if got := find(lint.Check(f, o), tt.rule); got != nil {
			t.Errorf("%s: %s", tt.rule, got.Text)
		}
	}
}

// Arms are told only if the finding holds for all files that have them.
func TestArms(t *testing.T) {
	bad, good := base, sound
	for name, tt := range map[string]struct {
		bad, good []string // arms of a file, separated by commas
		want      string
	}{
		"all with one arm":     {[]string{"p is a,q is a", "p is a,q is b"}, []string{"p is b,q is a", "p is b,q is b"}, "when p is a"},
		"not all with it":      {[]string{"p is a,q is a", "p is a,q is b"}, []string{"p is a,q is c", "p is b,q is a"}, "when p is a, q is a; or p is a, q is b"},
		"more than are kept":   {lines(9), []string{"p is a,q is z"}, "when p is a, q is 0; or p is a, q is 1; or p is a, q is 2; or …"},
		"all of very many":     {lines(20), []string{"p is b"}, "when p is a"},
		"whatever the arms":    {[]string{"p is a", "p is b"}, nil, ""},
		"nothing in common":    {[]string{"p is a,q is a", "p is b,q is b"}, []string{"p is a,q is b"}, "when p is a, q is a; or p is b, q is b"},
		"one file of several":  {[]string{"p is a"}, []string{"p is b"}, "when p is a"},
		"the last one differs": {append(lines(8), "p is c"), []string{"p is b"}, "when p is a, q is 0; or p is a, q is 1; or p is a, q is 2; or …"},
	} {
		var set lint.Set
		for i, src := range []string{bad, good} {
			for _, arms := range [][]string{tt.bad, tt.good}[i] {
				f := file(t, src)
				f.Place = func(int) lint.Place { return lint.Place{Pos: syntax.Pos{File: "a.dcs", Line: 3, Col: 1}} }
				f.When = strings.Split(arms, ",")
				set.Add(f, &lint.Options{})
			}
		}
		if f := find(set.Findings(), "qos-missing"); f == nil || f.Arms() != tt.want {
			t.Errorf("%s: %+v", name, f)
		}
	}
}

// lines are the arms of files that share one.
func lines(n int) (out []string) {
	for i := range n {
		out = append(out, "p is a,q is "+string(rune('0'+i)))
	}
	return out
}
