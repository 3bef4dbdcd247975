package lint_test

import (
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// ruleCase is a file that breaks a rule, and one like it that does not. Both are statements of a Main, a whole item, or octets after
// 0x; a case with slots has those of the bad file in place of octets.
type ruleCase struct {
	rule      string
	bad, good string
	severity  lint.Severity // of the bad file's finding; Note: the rule's own
	options   lint.Options
}

// sound is a file without a finding above a note; most cases add something to it.
const (
	base  = `NetworkAccess 1; MaxCPE 2; GlobalPrivacyEnable 1; `
	flows = `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } `
	sound = base + flows
)

// cases are those of all subjects.
var cases = slices.Concat(
	fileCases,
	micCases,
	sizeCases,
	channelCases,
	cosCases,
	cpeCases,
	originCases,
	softwareCases,
	certificateCases,
	privacyCases,
	wireCases,
	repeatCases,
	flowCases,
	schedulingCases,
	aggregateCases,
	classifierCases,
	withNames(snmpCases),
	withNames(accessCases),
	vendorCases,
	vpnCases,
	mtaCases,
	withNames(lineCases),
)

func TestRules(t *testing.T) {
	tested := map[string]bool{
		"tlv-too-long": true, "channel-pinned": true, "source": true, "allow-unknown": true, // by other tests
		lint.PatternNoName: true, lint.CaptureUnread: true, lint.ArmUnreachable: true, lint.NotAllJudged: true, // by the library and the command
	}
	for _, tt := range cases {
		tested[tt.rule] = true
		r := lint.ByID(tt.rule)
		if r == nil {
			t.Errorf("there is no rule %s", tt.rule)
			continue
		}
		want := tt.severity
		if want == lint.Note {
			want = r.Severity
		}
		f := find(lint.Check(file(t, tt.bad), &tt.options), tt.rule)
		if f == nil {
			t.Errorf("%s: not found in %s", tt.rule, tt.bad)
		} else if f.Severity != want {
			t.Errorf("%s: %v in %s, not %v: %s", tt.rule, f.Severity, tt.bad, want, f.Text)
		}
		if f := find(lint.Check(file(t, tt.good), &tt.options), tt.rule); f != nil && f.Severity >= want {
			t.Errorf("%s: found in %s: %s", tt.rule, tt.good, f.Text)
		}
	}
	for _, r := range lint.Rules() {
		if !tested[r.ID] {
			t.Errorf("%s: no case", r.ID)
		}
	}
}

// A sound file has no finding above a note.
func TestSound(t *testing.T) {
	for _, src := range []string{sound, `Mta { SnmpMibObject .1.3.6.1.4.1.4491.2.2.1.1.1.7.0 Integer 1; }`} {
		for _, f := range lint.Check(file(t, src), &lint.Options{}) {
			if f.Severity > lint.Note {
				t.Errorf("%s: %s", f.Rule.ID, f.Text)
			}
		}
	}
}

// Rows are complete, and their ids are words that a comment can name.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, r := range lint.Rules() {
		if seen[r.ID] || r.ID == "" || strings.Trim(r.ID, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("id %q", r.ID)
		}
		seen[r.ID] = true
		if r.Meaning == "" || !strings.HasSuffix(r.Meaning, ".") || r.Cite == "" || r.Remedy == "" || strings.HasSuffix(r.Remedy, ".") {
			t.Errorf("%s: an incomplete row: %+v", r.ID, *r)
		}
		if r.Until != lint.AnyVersion && r.Until < r.Since {
			t.Errorf("%s: since %v until %v", r.ID, r.Since, r.Until)
		}
	}
}

func find(list []lint.Finding, rule string) *lint.Finding {
	for i := range list {
		if list[i].Rule.ID == rule {
			return &list[i]
		}
	}
	return nil
}

// file makes the file of a case.
func file(t testing.TB, src string) *lint.File {
	t.Helper()
	if digits, ok := strings.CutPrefix(src, "0x"); ok {
		b, err := hex.DecodeString(strings.ReplaceAll(digits, " ", ""))
		if err != nil {
			t.Fatalf("%s: %v", src, err)
		}
		f := &lint.File{Name: "x.cm", Octets: b}
		if len(b) > 0 && b[0] == 254 {
			f.Dialect = tlv.MTA
		}
		return f
	}
	if !strings.HasPrefix(src, "Mta ") && !strings.HasPrefix(src, "CableHome ") {
		src = "Main { " + src + " }"
	}
	snap, err := library.LoadFile(library.Config{MIB: mib.Default()}, "x.dcs", []byte(src))
	if err != nil {
		t.Fatalf("%s: %v", src, err)
	}
	skel, fault := snap.Skeleton(snap.Find([]byte(snap.Templates()[0].Names[0])), nil, false)
	if fault != nil {
		t.Fatalf("%s: %v", src, fault)
	}
	return &lint.File{Dialect: skel.Dialect(), Octets: skel.File(mic.NewSecret(nil)), Made: true}
}
