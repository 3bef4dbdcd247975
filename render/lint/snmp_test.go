package lint_test

import (
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/lint"
)

var named = lint.Options{MIB: mib.Default()}

// access is a row of docsDevNmAccessTable that is complete.
const access = `SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.0; SnmpMibObject docsDevNmAccessIpMask.1 IPAddress 255.0.0.0;
	SnmpMibObject docsDevNmAccessCommunity.1 String "k7"; SnmpMibObject docsDevNmAccessControl.1 Integer 2;
	SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x40; `

const accessRow = access + `SnmpMibObject docsDevNmAccessStatus.1 Integer 4; `

const community = `SnmpMibObject snmpCommunityName.'a' String "k7"; SnmpMibObject snmpCommunitySecurityName.'a' String "k7"; SnmpMibObject snmpCommunityStatus.'a' Integer 4; `

var snmpCases = []ruleCase{
	{rule: "oid-unknown", bad: sound + `SnmpMibObject .1.3.6.1.4.1.4294967295.1.0 Integer 1;`, good: sound + `SnmpMibObject sysContact.0 String "x";`},
	{rule: "oid-unknown", bad: sound + `eRouter { SnmpMibObject .1.3.6.1.4.1.4294967295.1.0 Integer 1; }`, good: sound + `eRouter { SnmpMibObject sysContact.0 String "x"; }`},
	{rule: "oid-type", bad: sound + `SnmpMibObject .1.3.6.1.2.1.2.2.1.7.1 Gauge32 1;`, good: sound + `SnmpMibObject ifAdminStatus.1 Integer 1;`},
	{rule: "oid-range", bad: sound + `SnmpMibObject ifAdminStatus.1 Integer 9;`, good: sound + `SnmpMibObject ifAdminStatus.1 Integer 2;`},
	{rule: "oid-range", bad: sound + `SnmpMibObject docsDevFilterIpProtocol.1 Integer 257;`, good: sound + `SnmpMibObject docsDevFilterIpProtocol.1 Integer 256;`},
	{rule: "oid-range", bad: sound + `SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x` + strings.Repeat("61", 200) + `;`, good: sound + `SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x40;`},
	{rule: "oid-access", bad: sound + `SnmpMibObject sysUpTime.0 TimeTicks 1;`, good: sound + `SnmpMibObject sysContact.0 String "x";`},
	{rule: "oid-instance", bad: sound + `SnmpMibObject sysContact.1 String "x";`, good: sound + `SnmpMibObject sysContact.0 String "x";`},
	{rule: "oid-instance", bad: sound + `SnmpMibObject sysContact String "x";`, good: sound + accessRow},
	{rule: "oid-instance", bad: sound + `SnmpMibObject docsDevNmAccessStatus.0 Integer 4;`, good: sound + `SnmpMibObject docsDevCpeStatus.10.0.0.1 Integer 4;`},
	{rule: "oid-instance", bad: sound + `SnmpMibObject docsDevNmAccessStatus.1.2 Integer 4;`, good: sound + community},
	{rule: "oid-instance", bad: sound + `SnmpMibObject docsDevCpeStatus.10.0.0 Integer 4;`, good: sound + `SnmpMibObject vacmSecurityToGroupStatus.1."abc" Integer 4;`},
	{rule: "oid-instance", bad: sound + `SnmpMibObject vacmSecurityToGroupStatus.1.9.1 Integer 4;`, good: sound + `SnmpMibObject vacmAccessStatus."ro"."".1.noAuthNoPriv Integer 4;`},
	{rule: "oid-dup", bad: sound + accessRow + `SnmpMibObject docsDevNmAccessStatus.1 Integer 5;`, good: sound + accessRow + `eRouter { SnmpMibObject docsDevNmAccessStatus.1 Integer 4; }`},
	{rule: "row-status", bad: sound + access, good: sound + accessRow},
	{rule: "row-status", bad: sound + `SnmpMibObject docsDevFilterIpControl.1 Integer 1;`, good: `Mta { SnmpMibObject pktcNcsEndPntConfigCallAgentId.9 String "ca@example.net"; }`},
	{rule: "row-status", bad: sound + access + `SnmpMibObject docsDevNmAccessStatus.1 Integer 5;`, good: sound + `SnmpMibObject ifAdminStatus.1 Integer 2;`, severity: lint.Warning},
	{rule: "row-incomplete", bad: sound + `SnmpMibObject docsDevNmAccessStatus.1 Integer 4;`, good: sound + accessRow, severity: lint.Warning},
	{rule: "row-incomplete", bad: sound + `SnmpMibObject snmpCommunityName.'a' String "k7"; SnmpMibObject snmpCommunityStatus.'a' Integer 4;`, good: sound + community},
	{rule: "nm-and-coexistence", bad: sound + accessRow + community, good: sound + accessRow},
	{rule: "community-known", bad: sound + `SnmpMibObject docsDevNmAccessCommunity.1 String "public";`, good: sound + accessRow},
	{rule: "nm-destroy", bad: sound + `SnmpMibObject docsDevNmAccessControl.1 Integer 1;`, good: sound + accessRow},
	{rule: "filter-mask", bad: sound + `SnmpMibObject docsDevFilterIpSmask.1 IPAddress 255.0.255.0;`, good: sound + `SnmpMibObject docsDevFilterIpSmask.1 IPAddress 255.255.255.0; SnmpMibObject docsDevFilterIpDmask.1 IPAddress 0.0.0.0;`},
}

// withNames gives cases the names of SNMP objects.
func withNames(cases []ruleCase) []ruleCase {
	for i := range cases {
		cases[i].options = named
	}
	return cases
}

// Two statements of one object refer to each other.
func TestDuplicateObject(t *testing.T) {
	f := find(lint.Check(file(t, sound+accessRow+`SnmpMibObject docsDevNmAccessStatus.1 Integer 5;`), &named), "oid-dup")
	if f == nil || len(f.Related) != 1 || f.Related[0].Offset >= f.Offset || f.Text != "docsDevNmAccessStatus.1 is set twice: a modem refuses the file" {
		t.Errorf("%+v", f)
	}
}

// Values that the request decides are judged by what they can be.
func TestObjectSlots(t *testing.T) {
	for _, tt := range []struct {
		src  string
		slot lint.Slot
		want lint.Severity
		none bool
	}{
		{`SnmpMibObject ifAdminStatus.1 Integer 1;`, lint.Slot{Numeric: true, Min: 1, Max: 3, Bounded: true}, 0, true},
		{`SnmpMibObject ifAdminStatus.1 Integer 1;`, lint.Slot{Numeric: true, Min: 1, Max: 9, Bounded: true}, lint.Warning, false},
		{`SnmpMibObject ifAdminStatus.1 Integer 1;`, lint.Slot{Numeric: true, Min: 7, Max: 9, Bounded: true}, lint.Error, false},
		{`SnmpMibObject ifAdminStatus.1 Integer 1;`, lint.Slot{Numeric: true, Min: 0, Max: 1 << 40}, lint.Note, false},
		{`SnmpMibObject sysContact.0 String "x";`, lint.Slot{MinLen: 1, MaxLen: 300, Bounded: true}, lint.Warning, false},
		{`SnmpMibObject sysContact.0 String "x";`, lint.Slot{MinLen: 1, MaxLen: 200, Bounded: true}, 0, true},
	} {
		f := file(t, tt.src+sound)
		tt.slot.Off, tt.slot.Len = 2+int(f.Octets[1])-1, 1 // the value is the last octet of the first TLV
		f.Slots = []lint.Slot{tt.slot}
		got := find(lint.Check(f, &named), "oid-range")
		if tt.none != (got == nil) || got != nil && got.Severity != tt.want {
			t.Errorf("%s %+v: %+v", tt.src, tt.slot, got)
		}
	}
}
