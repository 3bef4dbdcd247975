package mib

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"

	"dcs/render/ber"
)

// OIDs by hand from the modules' texts (RFC numbers beside them) and, for those of boot
// files, from the binaries that the open docsis encoder made of the same names.
var names = []struct {
	name, oid, label, instance string
}{
	{".1.3.6.1", "1.3.6.1", "internet", ""},
	{"1.3.6.1", "1.3.6.1", "internet", ""},
	{"iso", "1", "iso", ""},
	{"1", "1", "iso", ""},
	{"org", "1.3", "org", ""},
	{"dod", "1.3.6", "dod", ""},
	{"internet", "1.3.6.1", "internet", ""},
	{"directory", "1.3.6.1.1", "directory", ""},
	{"mgmt", "1.3.6.1.2", "mgmt", ""},
	{"mib-2", "1.3.6.1.2.1", "mib-2", ""},
	{"transmission", "1.3.6.1.2.1.10", "transmission", ""},
	{"experimental", "1.3.6.1.3", "experimental", ""},
	{"private", "1.3.6.1.4", "private", ""},
	{"enterprises", "1.3.6.1.4.1", "enterprises", ""},
	{"security", "1.3.6.1.5", "security", ""},
	{"snmpV2", "1.3.6.1.6", "snmpV2", ""},
	{"snmpModules", "1.3.6.1.6.3", "snmpModules", ""},
	{"ccitt", "0", "ccitt", ""},
	{"joint-iso-ccitt", "2", "joint-iso-ccitt", ""},
	{"zeroDotZero", "0.0", "zeroDotZero", ""},
	{"2.999.3", "2.999.3", "joint-iso-ccitt", "999.3"},
	{"iso.org.dod.internet.private.enterprises.99999.1", "1.3.6.1.4.1.99999.1", "enterprises", "99999.1"},
	{".iso.3.dod.1", "1.3.6.1", "internet", ""},
	{".1.3.dod.internet.mgmt", "1.3.6.1.2", "mgmt", ""},
	{"enterprises.99999.11.1.2.1", "1.3.6.1.4.1.99999.11.1.2.1", "enterprises", "99999.11.1.2.1"},
	{"enterprises.99999.4294967295", "1.3.6.1.4.1.99999.4294967295", "enterprises", "99999.4294967295"},
	{"SNMPv2-SMI::enterprises.99999", "1.3.6.1.4.1.99999", "enterprises", "99999"},

	{"sysDescr.0", "1.3.6.1.2.1.1.1.0", "sysDescr", "0"}, // RFC 3418
	{"SNMPv2-MIB::sysDescr.0", "1.3.6.1.2.1.1.1.0", "sysDescr", "0"},
	{"system.sysDescr.0", "1.3.6.1.2.1.1.1.0", "sysDescr", "0"},
	{"ifDescr.2", "1.3.6.1.2.1.2.2.1.2.2", "ifDescr", "2"}, // RFC 2863
	{"ifEntry.ifDescr.2", "1.3.6.1.2.1.2.2.1.2.2", "ifDescr", "2"},
	{"ifEntry.2.2", "1.3.6.1.2.1.2.2.1.2.2", "ifDescr", "2"},
	{"1.3.6.1.2.1.2.2.1.2.2", "1.3.6.1.2.1.2.2.1.2.2", "ifDescr", "2"},

	{"docsDevCpeIpMax.0", "1.3.6.1.2.1.69.1.7.2.0", "docsDevCpeIpMax", "0"}, // RFC 4639
	{"docsDevCpeStatus.10.0.34.172", "1.3.6.1.2.1.69.1.7.3.1.3.10.0.34.172", "docsDevCpeStatus", "10.0.34.172"},
	{"docsDevFilterIpStatus.1", "1.3.6.1.2.1.69.1.6.4.1.2.1", "docsDevFilterIpStatus", "1"},
	{"docsDevFilterIpStatus", "1.3.6.1.2.1.69.1.6.4.1.2", "docsDevFilterIpStatus", ""},

	// IMPLIED snmpCommunityIndex (RFC 3584).
	{"snmpCommunityName.'abc'", "1.3.6.1.6.3.18.1.1.1.2.97.98.99", "snmpCommunityName", "97.98.99"},
	{`snmpCommunityName."abc"`, "1.3.6.1.6.3.18.1.1.1.2.3.97.98.99", "snmpCommunityName", "3.97.98.99"},
	{"snmpCommunityName.'a.b::c'", "1.3.6.1.6.3.18.1.1.1.2.97.46.98.58.58.99", "snmpCommunityName", "97.46.98.58.58.99"},
	{"snmpCommunityName.''", "1.3.6.1.6.3.18.1.1.1.2", "snmpCommunityName", ""},
	{`snmpCommunityName."é"`, "1.3.6.1.6.3.18.1.1.1.2.2.195.169", "snmpCommunityName", "2.195.169"},
	{"SNMP-COMMUNITY-MIB::snmpCommunityName.'a'", "1.3.6.1.6.3.18.1.1.1.2.97", "snmpCommunityName", "97"},
	{"1.3.6.1.6.3.18.1.1.1.2.'abc'", "1.3.6.1.6.3.18.1.1.1.2.97.98.99", "snmpCommunityName", "97.98.99"},

	// Several index objects: group name, context prefix, model, level (RFC 3415).
	{
		`vacmAccessStatus."rotesting"."".1.noAuthNoPriv`,
		"1.3.6.1.6.3.16.1.4.1.9.9.114.111.116.101.115.116.105.110.103.0.1.1",
		"vacmAccessStatus", "9.114.111.116.101.115.116.105.110.103.0.1.1",
	},
	{
		`vacmAccessStatus.2.114.111."".1.authPriv`,
		"1.3.6.1.6.3.16.1.4.1.9.2.114.111.0.1.3", "vacmAccessStatus", "2.114.111.0.1.3",
	},
	{
		`vacmAccessStatus.0.0.3.authNoPriv`,
		"1.3.6.1.6.3.16.1.4.1.9.0.0.3.2", "vacmAccessStatus", "0.0.3.2",
	},
	{
		`vacmSecurityToGroupStatus.1."rwtesting"`,
		"1.3.6.1.6.3.16.1.2.1.5.1.9.114.119.116.101.115.116.105.110.103",
		"vacmSecurityToGroupStatus", "1.9.114.119.116.101.115.116.105.110.103",
	},
	// An enumeration, ipv4(1), then an address of variable size (RFC 4293).
	{"ipAddressIfIndex.ipv4.4.10.0.0.1", "1.3.6.1.2.1.4.34.1.3.1.4.10.0.0.1", "ipAddressIfIndex", "1.4.10.0.0.1"},
	{`ipAddressIfIndex.ipv4."abcd"`, "1.3.6.1.2.1.4.34.1.3.1.4.97.98.99.100", "ipAddressIfIndex", "1.4.97.98.99.100"},
	// Four arcs of an IpAddress are one index object (RFC 4293).
	{"ipNetToMediaType.2.10.0.0.1", "1.3.6.1.2.1.4.22.1.4.2.10.0.0.1", "ipNetToMediaType", "2.10.0.0.1"},
	// A row that augments another: ifXEntry, ifEntry (RFC 2863).
	{"ifName.7", "1.3.6.1.2.1.31.1.1.1.1.7", "ifName", "7"},
	// More numbers than the index has are taken as they are.
	{"sysDescr.1.2", "1.3.6.1.2.1.1.1.1.2", "sysDescr", "1.2"},
	// Nothing known about the object: quotes still mean what they say.
	{"enterprises.99999.1.'ab'", "1.3.6.1.4.1.99999.1.97.98", "enterprises", "99999.1.97.98"},
	{`enterprises.99999.1."ab".1`, "1.3.6.1.4.1.99999.1.2.97.98.1", "enterprises", "99999.1.2.97.98.1"},

	// Ambiguous, settled by the CableLabs branch.
	{"pktcMtaDevEnabled.0", "1.3.6.1.4.1.4491.2.2.1.1.1.7.0", "pktcMtaDevEnabled", "0"},
	{"PKTC-MTA-MIB::pktcMtaDevEnabled.0", "1.3.6.1.4.1.4491.2.2.1.1.1.7.0", "pktcMtaDevEnabled", "0"},
	{"PKTC-IETF-MTA-MIB::pktcMtaDevEnabled.0", "1.3.6.1.2.1.140.1.1.6.0", "pktcMtaDevEnabled", "0"},
	// As the open encoder's binary has it.
	{"pktcEUERSTAppStatus.1", "1.3.6.1.4.1.4491.2.2.8.2.1.1.2.1.9.1", "pktcEUERSTAppStatus", "1"},
}

func TestResolve(t *testing.T) {
	x := Default()
	for _, tt := range names {
		ref, err := x.Resolve(tt.name)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if ref.OID.String() != tt.oid || ref.Object == nil || ref.Object.Label != tt.label || ref.Instance.String() != tt.instance {
			t.Errorf("%s = %v (%v . %v), want %s (%s . %s)", tt.name, ref.OID, ref.Object, ref.Instance, tt.oid, tt.label, tt.instance)
		}
	}
}

func TestResolveErrors(t *testing.T) {
	x := Default()
	for _, tt := range []struct {
		name string
		kind error // or nil
		want []string
	}{
		{"docsDevNmAcessStatus.1", errUnknown, []string{"unknown MIB label docsDevNmAcessStatus", "docsDevNmAccessStatus"}},
		{"DocsDevCpeIpMax.0", errUnknown, []string{"did you mean docsDevCpeIpMax"}},
		{"sysdescr.0", errUnknown, []string{"did you mean sysDescr"}},
		{"quiteUnheardOfLabel.0", errUnknown, []string{"unknown MIB label quiteUnheardOfLabel", "mib_path"}},
		{"iso.org.dodd", errUnknown, []string{"unknown MIB label dodd; did you mean dod?"}},
		{"iso.dod", errUnknown, []string{"dod is not directly under 1"}},
		{"IF-MIB::sysDescr", errUnknown, []string{"IF-MIB::sysDescr", "SNMPv2-MIB"}},
		{"NO-SUCH-MIB::sysDescr", errUnknown, []string{"NO-SUCH-MIB::sysDescr", "SNMPv2-MIB"}},
		{"::sysDescr", errUnknown, []string{"no module name"}},
		{
			"docsBpi2CmtsAuthCmBpiVersion.1", errAmbiguous,
			[]string{"DOCS-BPI2-MIB (1.3.6.1.2.1.10.127.6.", "DOCS-IETF-BPI2-MIB (1.3.6.1.2.1.126.", "MODULE::docsBpi2CmtsAuthCmBpiVersion", "mib_prefer"},
		},
		{`vacmAccessStatus."ro"."".1.noPriv`, errIndex, []string{"noPriv is not one of the values of vacmAccessSecurityLevel", "noAuthNoPriv(1), authNoPriv(2), authPriv(3)"}},
		{`vacmAccessStatus."ro"."".noAuthNoPriv`, errIndex, []string{"noAuthNoPriv is not a value of vacmAccessSecurityModel, which has no named values"}},
		{`vacmAccessStatus."ro"."".1."x"`, errIndex, []string{`vacmAccessSecurityLevel takes a number, got "x"`}},
		{`vacmAccessStatus."ro"."".1.authPriv.'x'`, errIndex, []string{"'x' is one too many", "vacmGroupName, vacmAccessContextPrefix, vacmAccessSecurityModel, vacmAccessSecurityLevel"}},
		{`vacmAccessStatus.2.114.'x'`, errIndex, []string{"expected another number of vacmGroupName, got 'x'"}},
		{"docsDevCpeStatus.'abcd'", errIndex, []string{"docsDevCpeIp takes four numbers"}},
		{"docsDevCpeStatus.10.0.x", errIndex, []string{"expected another number of docsDevCpeIp, got x"}},
		{"sysDescr.zero", errIndex, []string{"sysDescr has no index, its only instance is .0"}},
		{"sysDescr.'x'", errIndex, []string{"sysDescr has no index"}},
		{"ifDescr.x", errIndex, []string{"x is not a value of ifIndex"}},
		{"", nil, []string{"no number or label"}},
		{".", nil, []string{"no number or label"}},
		{"sysDescr.", nil, []string{"at the end"}},
		{"sysDescr..0", nil, []string{"between two dots"}},
		{"..1.3", nil, []string{"between two dots"}},
		{"sysDescr.4294967296", nil, []string{"32 bits"}},
		{"sysDescr.99999999999999999999999999", nil, []string{"32 bits"}},
		{"snmpCommunityName.'abc", nil, []string{"no closing '"}},
		{`snmpCommunityName."abc`, nil, []string{`no closing "`}},
		{"snmpCommunityName.'abc'd", nil, []string{"instead of a dot"}},
		{"sysDescr 0", nil, []string{"instead of a dot"}},
		{"'abc'", nil, []string{"must begin with"}},
		{"IF-MIB::1.3", nil, []string{"must begin with"}},
		{"3.1", nil, []string{"first arc 3"}},
		{"1.40", nil, []string{"second arc 40"}},
		{"sysDescr.$x", nil, []string{"does not begin"}},
		{"enterprises" + strings.Repeat(".1", 123), nil, []string{"more than 128"}},
		{"snmpCommunityName.'" + strings.Repeat("x", 120) + "'", nil, []string{"more than 128"}},
	} {
		_, err := x.Resolve(tt.name)
		if err == nil {
			t.Errorf("%q resolves, want %q", tt.name, tt.want)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q: %v, want %q", tt.name, err, want)
			}
		}
		for _, kind := range []error{errUnknown, errAmbiguous, errIndex} {
			if errors.Is(err, kind) != errors.Is(tt.kind, kind) {
				t.Errorf("%q: %v, is %v: %v", tt.name, err, kind, errors.Is(err, kind))
			}
		}
	}
}

func TestPrefer(t *testing.T) {
	const (
		lab  = "1.3.6.1.4.1.4491.2.2.1.1.1.7"
		ietf = "1.3.6.1.2.1.140.1.1.6"
	)
	x := Default()
	for _, tt := range []struct {
		prefer []string
		want   string
	}{
		{nil, lab},
		{[]string{"PKTC-IETF-MTA-MIB"}, ietf},
		{[]string{"PKTC-MTA-MIB", "PKTC-IETF-MTA-MIB"}, lab},
		{[]string{"PKTC-IETF-MTA-MIB", "PKTC-MTA-MIB"}, ietf},
		{[]string{"DOCS-IETF-BPI2-MIB"}, lab},
	} {
		p := x.Prefer(tt.prefer...)
		ref, err := p.Resolve("pktcMtaDevEnabled")
		if err != nil || ref.OID.String() != tt.want {
			t.Errorf("prefer %v: %v, %v, want %s", tt.prefer, ref.OID, err, tt.want)
		}
		// A name must be one that the same index takes for the same OID.
		for _, dotted := range []string{lab, ietf} {
			want := "." + dotted
			if dotted == tt.want {
				want = "pktcMtaDevEnabled"
			}
			oid, _ := ber.ParseOID(dotted)
			if got := p.Name(oid); got != want {
				t.Errorf("prefer %v: Name(%s) = %s, want %s", tt.prefer, dotted, got, want)
			}
		}
	}
	if _, err := x.Prefer("DOCS-IETF-BPI2-MIB").Resolve("docsBpi2CmtsAuthCmBpiVersion"); err != nil {
		t.Error(err)
	}
	if last := x.Prefer("DOCS-BPI2-MIB").Prefer("DOCS-IETF-BPI2-MIB"); last.prefer[0] != "DOCS-IETF-BPI2-MIB" || len(last.prefer) != 2 {
		t.Errorf("preferences %v", last.prefer)
	}
	if !x.HasModule("IF-MIB") || x.HasModule("if-mib") {
		t.Error("HasModule")
	}
}

// Labels of several OIDs: they mean what they mean in the open encoder's modules, and the note says how to get the other (DOCS-QOS3-MIB
// is DOCSIS 3.0's, DOCS-PNM-MIB was renumbered in 2019, PKTC-EVENT-MIB in 2005).
func TestEditions(t *testing.T) {
	x := Default()
	for _, tt := range []struct{ name, oid, note string }{
		{"docsQosCmtsCmMac", "1.3.6.1.2.1.10.127.7.", "at 1.3.6.1.4.1.4491.2.1.21.1.11.1.1: write DOCS-QOS3-MIB::docsQosCmtsCmMac for them, or name the module in mib_prefer"},
		{"DOCS-QOS3-MIB::docsQosCmtsCmMac", "1.3.6.1.4.1.4491.2.1.21.1.11.1.1", ""},
		{"DOCS-QOS-MIB::docsQosCmtsCmMac", "1.3.6.1.2.1.10.127.7.", ""},
		{"docsPnmCmDsHistFileName.1", "1.3.6.1.4.1.4491.2.1.27.1.2.9.1.10.1", "an older edition of DOCS-PNM-MIB; devices with that of 2019-05-16 have it at 1.3.6.1.4.1.4491.2.1.27.1.2.9.1.4: write the number"},
		{"DOCS-PNM-MIB::docsPnmCmDsHistFileName.1", "1.3.6.1.4.1.4491.2.1.27.1.2.9.1.10.1", "have it at 1.3.6.1.4.1.4491.2.1.27.1.2.9.1.4: write the number"},
		{".1.3.6.1.4.1.4491.2.1.27.1.2.9.1.4.1", "1.3.6.1.4.1.4491.2.1.27.1.2.9.1.4.1", ""},
		{"pktcDevEvSyslogAddress.0", "1.3.6.1.4.1.4491.2.2.3.1.4.0", "that of 2005-01-28 have it at 1.3.6.1.4.1.4491.2.2.3.1.3: write the number"},
		{"pktcMtaDevEnabled.0", "1.3.6.1.4.1.4491.2.2.1.1.1.7.0", ""},
		{"coldStart", "1.3.6.1.6.3.1.1.5.1", ""},
		{"upsAlarmBatteryBad", "1.3.6.1.2.1.33.1.6.3.1", ""},
	} {
		ref, err := x.Resolve(tt.name)
		if err != nil || !strings.HasPrefix(ref.OID.String(), tt.oid) || !strings.Contains(ref.Note, tt.note) || tt.note == "" && ref.Note != "" {
			t.Errorf("%s = %v, note %q, %v; want %s, %q", tt.name, ref.OID, ref.Note, err, tt.oid, tt.note)
		}
	}
	for _, tt := range []struct {
		prefer, name, oid string
		note              bool
	}{
		{"DOCS-QOS-MIB", "docsQosCmtsCmMac", "1.3.6.1.2.1.10.127.7.", false},
		{"DOCS-QOS3-MIB", "docsQosCmtsCmMac", "1.3.6.1.4.1.4491.2.1.21.", false},
		{"IF-MIB", "docsQosCmtsCmMac", "1.3.6.1.2.1.10.127.7.", true},
		{"DOCS-PNM-MIB", "docsPnmCmDsHistFileName", "1.3.6.1.4.1.4491.2.1.27.1.2.9.1.10", true}, // it does not choose between editions
	} {
		ref, err := x.Prefer(tt.prefer).Resolve(tt.name)
		if err != nil || !strings.HasPrefix(ref.OID.String(), tt.oid) || (ref.Note != "") != tt.note {
			t.Errorf("%s by %s: %v, %q, %v", tt.name, tt.prefer, ref.OID, ref.Note, err)
		}
	}
}

// Every label of the open encoder's modules means there what it meant before others were built in.
func TestLaterModules(t *testing.T) {
	x := Default()
	var earlier []Object
	for o := range x.Objects() {
		if !o.Later {
			earlier = append(earlier, o)
		}
	}
	tab, err := tableOf(earlier, nil)
	if err != nil {
		t.Fatal(err)
	}
	alone := &Index{t: tab}
	moved := 0
	for i := range earlier {
		for _, name := range []string{earlier[i].Label, earlier[i].Module + "::" + earlier[i].Label} {
			was, err1 := alone.Resolve(name)
			is, err2 := x.Resolve(name)
			if !slices.Equal(was.OID, is.OID) || (err1 == nil) != (err2 == nil) {
				t.Fatalf("%s: %v, %v; it was %v, %v", name, is.OID, err2, was.OID, err1)
			}
			if is.Note != "" && was.Note == "" && name == earlier[i].Label {
				moved++
			}
		}
	}
	if moved < 182 {
		t.Errorf("%d labels have a note, want 155 of DOCS-QOS-MIB and 27 more", moved)
	}
}

func TestName(t *testing.T) {
	x := Default()
	for _, tt := range []struct{ oid, want string }{
		{"1.3.6.1.2.1.1.1.0", "sysDescr.0"},
		{"1.3.6.1.2.1.69.1.6.4.1.2.1", "docsDevFilterIpStatus.1"},
		{"1.3.6.1.4.1.99999.11.1.2.1", "enterprises.99999.11.1.2.1"},
		{"1.3.6.1.6.3.18.1.1.1.2.97.98.99", "snmpCommunityName.97.98.99"},
		{"1.3.6.1", "internet"},
		{"1", "iso"},
		{"2.999", "joint-iso-ccitt.999"},
		{"1.3.6.1.2.1.140.1.1.6.0", ".1.3.6.1.2.1.140.1.1.6.0"},
	} {
		oid, err := ber.ParseOID(tt.oid)
		if err != nil {
			t.Fatal(err)
		}
		if got := x.Name(oid); got != tt.want {
			t.Errorf("Name(%s) = %s, want %s", tt.oid, got, tt.want)
		}
	}
	if got := x.Name(nil); got != "" {
		t.Errorf("Name of nothing = %q", got)
	}
}

func TestLookup(t *testing.T) {
	x := Default()
	for _, tt := range []struct{ oid, module, label, instance string }{
		{"1.3.6.1.2.1.2.2.1.2.7", "IF-MIB", "ifDescr", "7"}, // not RFC1213-MIB's
		{"1.3.6.1.2.1.69.1.7.3.1.3.10.0.34.172", "DOCS-CABLE-DEVICE-MIB", "docsDevCpeStatus", "10.0.34.172"},
		{"1.3.6.1.2.1.69.1.7.3.1", "DOCS-CABLE-DEVICE-MIB", "docsDevCpeEntry", ""},
		{"1.3.6.1.4.1.4294967295", "SNMPv2-SMI", "enterprises", "4294967295"},
	} {
		oid, _ := ber.ParseOID(tt.oid)
		obj, instance, ok := x.Lookup(oid)
		if !ok || obj.Module != tt.module || obj.Label != tt.label || instance.String() != tt.instance {
			t.Errorf("Lookup(%s) = %+v, %v, %v", tt.oid, obj, instance, ok)
		}
	}
	if obj, instance, ok := x.Lookup(nil); ok || obj != nil || len(instance) != 0 {
		t.Errorf("Lookup of nothing = %v, %v, %v", obj, instance, ok)
	}
	empty, err := Build(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	table, err := openTable(string(empty))
	if err != nil {
		t.Fatal(err)
	}
	x = &Index{t: table}
	if ref, err := x.Resolve("1.3.6"); err != nil || ref.Object != nil || ref.Instance.String() != "1.3.6" || x.Name(ref.OID) != ".1.3.6" {
		t.Errorf("in an empty index: %+v, %v, %s", ref, err, x.Name(ref.OID))
	}
}

func TestObjectFacts(t *testing.T) {
	x := Default()
	object := func(name string) *Object {
		ref, err := x.Resolve(name)
		if err != nil {
			t.Fatal(err)
		}
		return ref.Object
	}
	status := object("docsDevNmAccessStatus")
	want := &Object{
		Label: "docsDevNmAccessStatus", Module: "DOCS-CABLE-DEVICE-MIB", OID: ber.OID{1, 3, 6, 1, 2, 1, 69, 1, 2, 1, 7},
		Kind: Column, Syntax: Integer32, TC: "RowStatus",
		Enums:  []Enum{{"active", 1}, {"notInService", 2}, {"notReady", 3}, {"createAndGo", 4}, {"createAndWait", 5}, {"destroy", 6}},
		Access: "read-create", Status: "deprecated",
	}
	if !reflect.DeepEqual(status, want) {
		t.Errorf("got %+v, want %+v", status, want)
	}
	if v, ok := status.EnumValue("createAndGo"); !ok || v != 4 {
		t.Errorf("createAndGo = %d, %v", v, ok)
	}
	if _, ok := status.EnumValue("CreateAndGo"); ok {
		t.Error("CreateAndGo is not createAndGo")
	}
	if label, ok := status.EnumLabel(6); !ok || label != "destroy" {
		t.Errorf("6 = %s, %v", label, ok)
	}
	if _, ok := status.EnumLabel(7); ok {
		t.Error("7 is no RowStatus")
	}
	if e := object("snmpCommunityEntry"); !slices.Equal(e.Index, []string{"snmpCommunityIndex"}) || !e.Implied || e.Kind != Row {
		t.Errorf("%+v", e)
	}
	if e := object("ifXEntry"); e.Augments != "ifEntry" || e.Index != nil {
		t.Errorf("%+v", e)
	}
	if e := object("vacmAccessEntry"); len(e.Index) != 4 || e.Implied {
		t.Errorf("%+v", e)
	}

	for _, tt := range []struct {
		err  error
		want string
	}{
		{status.CheckValue(4), ""},
		{status.CheckValue(9), "docsDevNmAccessStatus: 9 is not one of active(1), notInService(2), notReady(3), createAndGo(4), createAndWait(5), destroy(6)"},
		{object("docsDevFilterIpProtocol").CheckValue(256), ""},
		{object("docsDevFilterIpProtocol").CheckValue(257), "docsDevFilterIpProtocol: 257 is not in 0 to 256"},
		{object("docsDevFilterIpProtocol").CheckValue(-1), "docsDevFilterIpProtocol: -1 is not in 0 to 256"},
		{object("sysDescr").CheckValue(-1), ""},
		{object("sysDescr").CheckSize(255), ""},
		{object("sysDescr").CheckSize(256), "sysDescr: 256 octets, the module allows 0 to 255"},
		{object("ifDescr").CheckSize(0), ""},
		{(&Object{Label: "x", Syntax: OctetString, Ranges: []Range{{8, 8}, {11, 11}}}).CheckSize(9), "x: 9 octets, the module allows 8, 11"},
		{(&Object{Label: "x", Syntax: Counter64}).CheckValue(-5), ""},
	} {
		got := ""
		if tt.err != nil {
			got = tt.err.Error()
		}
		if got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
	if text := object("ifType").EnumText(); !strings.HasSuffix(text, " in all)") || len(text) > 400 {
		t.Errorf("long enumeration: %s", text)
	}
}

// Tags by RFC 2578, section 7.1, and X.690.
func TestSyntaxTag(t *testing.T) {
	want := map[Syntax]ber.Tag{
		NoSyntax: 0, Integer32: 0x02, Unsigned32: 0x42, Gauge32: 0x42, Counter32: 0x41, Counter64: 0x46, TimeTicks: 0x43,
		IPAddress: 0x40, NetworkAddress: 0x40, OctetString: 0x04, ObjectIdentifier: 0x06, Bits: 0x04, Opaque: 0x44,
	}
	for s := NoSyntax; s <= Opaque; s++ {
		if got := SyntaxTag(s); got != want[s] {
			t.Errorf("%v: tag %v, want %v", s, got, want[s])
		}
	}
}

func TestBuildIsDeterministic(t *testing.T) {
	objects := []Object{
		{Label: "b", Module: "M", OID: ber.OID{1, 3, 2}, TC: "T", Syntax: Integer32, Kind: Scalar, Enums: []Enum{{"x", -1}}},
		{Label: "a", Module: "M", OID: ber.OID{1, 3}, Kind: Row, Index: []string{"b", "c"}, Implied: true},
		{Label: "a", Module: "L", OID: ber.OID{1, 3}, Kind: Row, Augments: "b"},
		{Label: "c", Module: "L", OID: ber.OID{1, 3, 4294967295}, TC: "T", Syntax: OctetString, Ranges: []Range{{-5, 1 << 40}}},
	}
	first, err := Build(objects, nil)
	if err != nil {
		t.Fatal(err)
	}
	slices.Reverse(objects)
	if second, err := Build(objects, nil); err != nil || string(second) != string(first) {
		t.Errorf("another order gives other octets (%v)", err)
	}
	table, err := openTable(string(first))
	if err != nil {
		t.Fatal(err)
	}
	x := &Index{t: table}
	for i := range objects {
		want := &objects[i]
		ref, err := x.Resolve(want.Module + "::" + want.Label)
		if err != nil || !reflect.DeepEqual(ref.Object, want) {
			t.Errorf("got %+v, %v, want %+v", ref.Object, err, want)
		}
	}
	for _, bad := range []Object{{Label: "x"}, {OID: ber.OID{1}}, {Label: "x", OID: ber.OID{9}}} {
		if _, err := Build([]Object{bad}, nil); err == nil {
			t.Errorf("Build(%+v) succeeds", bad)
		}
	}
	for n := range len(first) {
		if _, err := openTable(string(first[:n])); err == nil {
			t.Fatalf("%d of %d octets pass for an index", n, len(first))
		}
	}
}

// A start must not pay for the index: nothing of it may be copied to the heap.
func TestDefaultIsSmall(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() { Default() }); n > 2 {
		t.Errorf("Default allocates %v times, want at most 2", n)
	}
}

func FuzzResolve(f *testing.F) {
	for _, tt := range names {
		f.Add(tt.name)
	}
	x := Default()
	f.Fuzz(func(t *testing.T, name string) {
		ref, err := x.Resolve(name)
		if err != nil {
			return
		}
		if err := ref.OID.Check(); err != nil {
			t.Fatalf("%q resolves to %v: %v", name, ref.OID, err)
		}
		again, err := x.Resolve(x.Name(ref.OID))
		if err != nil || again.OID.String() != ref.OID.String() {
			t.Fatalf("%q is %v, its name %q is %v, %v", name, ref.OID, x.Name(ref.OID), again.OID, err)
		}
	})
}

func BenchmarkDefault(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		Default()
	}
}

func BenchmarkResolve(b *testing.B) {
	x := Default()
	for _, name := range []string{
		"docsDevFilterIpStatus.1", ".1.3.6.1.2.1.69.1.6.4.1.2.1",
		`vacmAccessStatus."rotesting"."".1.noAuthNoPriv`, "docsDevNmAcessStatus.1",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				_, _ = x.Resolve(name)
			}
		})
	}
}

func BenchmarkName(b *testing.B) {
	x := Default()
	oid := ber.OID{1, 3, 6, 1, 2, 1, 69, 1, 6, 4, 1, 2, 1}
	b.ReportAllocs()
	for b.Loop() {
		x.Name(oid)
	}
}
