package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// What modules say of objects: RFC 4639, 3584 and 2863.
func TestMIB(t *testing.T) {
	for _, tt := range []struct {
		args   []string
		status int
		want   []string
		stderr string
	}{
		{
			[]string{"docsDevNmAccessStatus.1"},
			done,
			[]string{
				"docsDevNmAccessStatus  1.3.6.1.2.1.69.1.2.1.7\n", "module    DOCS-CABLE-DEVICE-MIB", ".docsDevNmAccessEntry.docsDevNmAccessStatus\n", "kind      column\n",
				"type      RowStatus: Integer32\n            active(1)\n", "createAndGo(4)\n", "access    read-create\n", "status    deprecated\n",
				"index     docsDevNmAccessIndex Integer32 (1..2147483647)\n", "instance  1\n",
			},
			"",
		},
		{[]string{"snmpCommunityName"}, done, []string{"index     IMPLIED snmpCommunityIndex SnmpAdminString: OctetString (SIZE 1..32)\n"}, ""},
		{[]string{"ifName"}, done, []string{"index     ifIndex InterfaceIndex: Integer32 (1..2147483647)\n"}, ""},
		{[]string{".1.3.6.1.2.1.69.1.2.1"}, done, []string{"docsDevNmAccessEntry  1.3.6.1.2.1.69.1.2.1\n", "\ndocsDevNmAccessIp   ", "1.3.6.1.2.1.69.1.2.1.2\n"}, ""},
		{[]string{"sysContact"}, done, []string{"sysContact  1.3.6.1.2.1.1.4\n  module    SNMPv2-MIB\n  also in   RFC1158-MIB, RFC1213-MIB\n"}, ""},
		{[]string{"docsDevNm"}, done, []string{"docsDevNmAccessTable ", "docsDevNmAccessStatus "}, ""},
		{[]string{"pktcMtaDevEnabled"}, done, []string{"4491.2.2.1.1.1.7\n  note      templates mean this one\n", "\n\npktcMtaDevEnabled  1.3.6.1.2.1.140.1.1.6\n  module    PKTC-IETF-MTA-MIB"}, ""},
		{[]string{"docsBpi2CmtsAuthCmBpiVersion"}, done, []string{"ambiguous: write DOCS-BPI2-MIB::docsBpi2CmtsAuthCmBpiVersion", "ambiguous: write DOCS-IETF-BPI2-MIB::"}, ""},
		{[]string{"sysUptime", "sysContact.0"}, failed, []string{"sysContact  1.3.6.1.2.1.1.4\n"}, "unknown MIB label sysUptime; did you mean sysUpTime?"},
		{[]string{"1.3.6.1.2.1.69.1.x"}, failed, nil, "unknown MIB label x"},
		{[]string{""}, failed, nil, "no number or label"},
		{nil, misuse, nil, "NAME"},
	} {
		got := dcs("", append([]string{"mib"}, tt.args...)...)
		if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
			t.Errorf("%q: status %d, %s", tt.args, got.status, got.stderr)
		}
		for _, want := range tt.want {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q: no %q in\n%s", tt.args, want, got.stdout)
			}
		}
	}
	got := dcs("", "mib", "--json", "docsDevNmAccessTable")
	var objects []struct {
		Label, OID, Kind string
		Index            []string
	}
	if err := json.Unmarshal([]byte(got.stdout), &objects); err != nil || len(objects) != 2 {
		t.Fatalf("%v: %s", err, got.stdout)
	}
	if row := objects[1]; row.Label != "docsDevNmAccessEntry" || row.OID != "1.3.6.1.2.1.69.1.2.1" || row.Kind != "row" || len(row.Index) != 1 || row.Index[0] != "docsDevNmAccessIndex" {
		t.Errorf("%+v", row)
	}
}
