package judge_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/cmd/internal/judge"
	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/lint/report"
)

// write makes a library of n templates as operators have them: patterns with two captures, tiers in a select, management in Blocks that all
// include, rates from the name. More are the texts of further files.
func write(t testing.TB, n int, more ...string) *library.Snapshot {
	t.Helper()
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("blocks.dcs", `
Block access {
	SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.0; SnmpMibObject docsDevNmAccessIpMask.1 IPAddress 255.0.0.0;
	SnmpMibObject docsDevNmAccessCommunity.1 String "k7f"; SnmpMibObject docsDevNmAccessControl.1 Integer 3;
	SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x40; SnmpMibObject docsDevNmAccessStatus.1 Integer 4;
}
Block filters {
	SnmpMibObject docsDevFilterIpDefault.0 Integer 2;
	SnmpMibObject docsDevFilterIpStatus.1 Integer 4; SnmpMibObject docsDevFilterIpControl.1 Integer 1; SnmpMibObject docsDevFilterIpProtocol.1 Integer 17;
	SnmpMibObject docsDevFilterIpDestPortLow.1 Integer 137; SnmpMibObject docsDevFilterIpDestPortHigh.1 Integer 139;
}
`)
	for i, text := range more {
		put(fmt.Sprintf("more%d.dcs", i), text)
	}
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `Main ~ "^res%d-(?P<cpe>[1-9])bw(?P<down>[0-9]{1,3})-(?P<tier>gold|silver|bronze)\.cm$" {
	NetworkAccess 1; MaxCPE $cpe; GlobalPrivacyEnable 1;
	UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained $down * 100k; MaxTrafficBurst 65536; }
	select $tier {
		gold { DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; TrafficPriority 5; MaxRateSustained $down * 1M; MaxTrafficBurst 262144; } }
		silver { DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; TrafficPriority 3; MaxRateSustained $down * 1M; MaxTrafficBurst 262144; } }
		default { DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained $down * 1M; MaxTrafficBurst 262144; } }
	}
	include access; include filters;
	SnmpMibObject sysContact.0 String "noc %d"; SnmpMibObject ifAdminStatus.2 Integer 1;
	TftpTimestamp $time; TftpModemAddress $ip;
}
`, i, i)
		if i%100 == 99 || i == n-1 {
			put(fmt.Sprintf("t%05d.dcs", i), b.String())
			b.Reset()
		}
	}
	schema, err := attr.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	snap, err := library.Load(library.Config{Dirs: []string{dir}, MIB: mib.Default(), Schema: schema}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return snap
}

func find(snap *library.Snapshot, goroutines int) string {
	w := judge.Work{Library: snap, Options: lint.Options{MIB: mib.Default()}, Allows: &lint.Allows{Read: os.ReadFile}, Goroutines: goroutines}
	found := w.Run(context.Background()).List
	lint.Sort(found)
	var b strings.Builder
	for i := range found {
		report.Text(&b, &found[i])
	}
	return b.String()
}

const tiers = `
Block tier { select $tier { gold { MaxCPE 3; } lead { MaxCPE 4; } default { MaxCPE 2; } } }
Block many { select $many { never { MaxCPE 9; } default { MaxCPE 1; } } }
Main ~ "^t(?P<tier>gold|silver)a$" { NetworkAccess 1; include tier; select $tier { tin { TftpTimestamp $time; } default { } } }
Main ~ "^t(?P<tier>gold|silver)b$" { NetworkAccess 1; include tier; }
`

// As many goroutines as there are find what one finds, whichever template each looks at, and what templates share is told once.
func TestGoroutines(t *testing.T) {
	snap := write(t, 60, tiers, `
Main ~ "^many-(?P<many>one|two)-(?P<a>[0-9]+)-(?P<b>[0-9]+)-(?P<c>[0-9]+)$" {
	NetworkAccess 1; include many;
	select $a { 1 { MaxCPE 1; } 2 { MaxCPE 2; } 3 { MaxCPE 3; } 4 { MaxCPE 4; } 5 { MaxCPE 5; } 6 { MaxCPE 6; } 7 { MaxCPE 7; } 8 { MaxCPE 8; } 9 { MaxCPE 9; } default { MaxCPE 1; } }
	select $b { 1 { CpeMacAddress 02:00:00:00:00:01; } 2 { CpeMacAddress 02:00:00:00:00:02; } 3 { CpeMacAddress 02:00:00:00:00:03; } 4 { CpeMacAddress 02:00:00:00:00:04; }
		5 { CpeMacAddress 02:00:00:00:00:05; } 6 { CpeMacAddress 02:00:00:00:00:06; } 7 { CpeMacAddress 02:00:00:00:00:07; } default { } }
	select $c { 1 { GlobalPrivacyEnable 1; } 2 { GlobalPrivacyEnable 0; } 3 { TftpTimestamp $time; } 4 { TftpModemAddress $ip; } 5 { NetworkAccess 0; } default { } }
}
`)
	one := find(snap, 1)
	for _, c := range []struct {
		text string
		n    int
	}{
		{"[not-all-judged]", 1},
		{"[arm-unreachable]", 1}, // a file that was left out may reach "lead" and "never"; it cannot reach "tin"
		{"select $tier: tin", 1},
	} {
		if n := strings.Count(one, c.text); n != c.n {
			t.Errorf("%q: %d times; want %d\n%s", c.text, n, c.n, one)
		}
	}
	if all := find(write(t, 0, tiers), 2); strings.Count(all, "[arm-unreachable]") != 2 || !strings.Contains(all, "select $tier: lead") {
		t.Errorf("with no file left out:\n%s", all)
	}
	w := judge.Work{Library: snap, Options: lint.Options{MIB: mib.Default()}, Allows: &lint.Allows{Read: os.ReadFile}, Goroutines: 1}
	all := w.Run(context.Background())
	w.Most = 2
	some := w.Run(context.Background())
	if len(some.List) != 6 || len(all.List) != all.Count[lint.Error]+all.Count[lint.Warning]+all.Count[lint.Note] {
		t.Errorf("%d of %v findings, %d of %v", len(some.List), some.Count, len(all.List), all.Count)
	}
	for s, n := range some.Count {
		if n < all.Count[s] {
			t.Errorf("%d findings of severity %d; want %d at least", n, s, all.Count[s])
		}
	}
	for _, n := range []int{2, 7, 0} {
		if got := find(snap, n); got != one {
			t.Errorf("with %d goroutines:\n%s\nwith one:\n%s", n, got, one)
		}
	}
}

// BenchmarkTemplates judges 10,000 templates by all rules.
func BenchmarkTemplates(b *testing.B) {
	snap := write(b, 10_000)
	for b.Loop() {
		find(snap, 0)
	}
}

// Every rule about templates is silenced by the key lint_allow, and by a comment beside its statement.
func TestSilenced(t *testing.T) {
	selects := ""
	for i := range 12 {
		selects += fmt.Sprintf("select $v%d { a { } default { GenericTLV TlvCode 2%02d TlvValue 0x01; } } ", i, i+30)
	}
	pattern := `^`
	for i := range 12 {
		pattern += fmt.Sprintf("(?P<v%d>.)", i)
	}
	for id, src := range map[string]string{
		lint.PatternNoName:  `Main ~ "a^b" { NetworkAccess 1; }`,
		lint.CaptureUnread:  `Main ~ "^(?P<tier>[a-z])$" { NetworkAccess 1; }`,
		lint.ArmUnreachable: `Main ~ "^(?P<tier>a|b)$" { NetworkAccess 1; select $tier { a { MaxCPE 1; } c { MaxCPE 2; } default { } } }`,
		lint.NotAllJudged:   `Main ~ "` + pattern + `" { NetworkAccess 1; ` + selects + `}`,
	} {
		for name, tt := range map[string]struct {
			comment string
			without []string
			want    bool
		}{
			"neither": {"", nil, true}, "the key": {"", []string{id}, false}, "a comment": {"# dcs:allow " + id + "\n", nil, false}, "another rule's": {"# dcs:allow max-cpe\n", []string{"bpi-off"}, true},
		} {
			snap := write(t, 0, tt.comment+src+"\n")
			w := judge.Work{Library: snap, Options: lint.Options{MIB: mib.Default(), Without: tt.without}, Allows: &lint.Allows{Read: os.ReadFile}}
			got := false
			for _, f := range w.Run(context.Background()).List {
				got = got || f.Rule.ID == id
			}
			if got != tt.want {
				t.Errorf("%s, with %s: told is %v", id, name, got)
			}
		}
	}
}
