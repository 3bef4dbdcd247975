package tlv

import (
	"encoding/csv"
	"os"
	"strconv"
	"strings"
	"testing"
)

// Every row of tlvs.csv must be found in its place, by keyword, alias and number.
func TestDictionary(t *testing.T) {
	f, err := os.Open("tlvs.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	recs, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	col := map[string]int{}
	for i, name := range recs[0] {
		col[name] = i
	}
	num := func(s string) int64 {
		n, _ := strconv.ParseInt(s, 10, 64)
		return n
	}
	for _, r := range recs[1:] {
		path := r[col["path"]]
		d := at(t, path)
		if d == nil {
			continue
		}
		get := func(name string) string { return r[col[name]] }
		if d.Path != path || d.Name != get("name") || d.Kind.String() != get("kind") ||
			d.Scope.String() != get("scope") || d.Min != num(get("min")) || d.Max != num(get("max")) ||
			d.Limited != (get("min") != "") || d.LenMin != int(num(get("len_min"))) ||
			d.LenMax != int(num(get("len_max"))) || int64(d.MICOrder) != num(get("mic_order")) ||
			d.Version != get("version") || d.Spec != get("spec") || d.Note != get("note") {
			t.Errorf("%s is %+v", path, *d)
		}
		parent := d.Parent()
		if parent.IsRoot() && !strings.Contains(path, ":") && parent != Root(CM) {
			t.Errorf("%s: parent is another root", path)
		}
		for _, name := range append([]string{d.Name, strings.ToUpper(d.Name)}, aliases(get("aliases"))...) {
			if c, _, ok := parent.Child(name); !ok || c != d {
				t.Errorf("%s: Child(%s) is %v, %v", path, name, c, ok)
			}
			found := false
			for _, e := range Elsewhere(name) {
				found = found || e == d
			}
			if !found {
				t.Errorf("%s is not among Elsewhere(%s)", path, name)
			}
		}
	}
}

func aliases(s string) []string {
	var out []string
	for _, a := range strings.Fields(s) {
		name, _, _ := strings.Cut(a, ":")
		out = append(out, name)
	}
	return out
}

func at(t *testing.T, path string) *Def {
	t.Helper()
	d := Root(CM)
	rest := path
	for i, prefix := range []string{"", "mta:", "ps:", "dpoe:"} {
		if r, ok := strings.CutPrefix(path, prefix); ok && prefix != "" {
			d, rest = Root(Dialect(i)), r
		}
	}
	for _, part := range strings.Split(rest, ".") {
		n, err := strconv.Atoi(part)
		if err != nil {
			t.Fatal(err)
		}
		c, ok := d.ChildByCode(uint8(n))
		if !ok {
			t.Errorf("%s: %s has no %d", path, d.Title(), n)
			return nil
		}
		d = c
	}
	return d
}

// TLVS.md: children come from same_as at every level, prefixed rows go first.
func TestPlaces(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		path    string // of keywords
		want    string
		kind    Kind
	}{
		{CM, "DsPacketClass IpPacketClassifier IpTos", "23.9.1", KindBytes},
		{CM, "UsServiceFlow VendorSpecific L2VPNEncoding VPNIdentifier", "24.43.5.1", KindBytes},
		{CM, "PHS VendorSpecific L2VPNEncoding NSIEncapsulation IEEE8021ahEncapsulation BDAEncapsulation", "26.43.5.2.6.2", KindBytes},
		{CM, "EnergyManagementParameter EnergyManagementDLSMode UpstreamActivityDetectionParameters UpstreamExitTimeThreshold", "74.4.2.4", KindUint16},
		{CM, "DownstreamEHQoSASF EnhancedHQoSIntraASFSchedulingEncoding ConstituentSFSCN", "94.47.3", KindZString},
		{CM, "eRouter SNMPv1v2cCoexistenceConfig SNMPv1v2cCommunityName", "202.53.1", KindString},
		{CM, "SnmpMibObject", "11", KindVarbind},
		{CM, "CMTSStaticMulticastSessionEncodings CMTSStaticMulticastSessionCMIM", "64.3", KindBytes},
		{CM, "DTPModeConfiguration", "83", KindUint8},
		{CM, "MtaConfigDelimiter", "254", KindUint8},
		{MTA, "MtaConfigDelimiter", "254", KindUint8},
		{MTA, "SnmpMibObject", "mta:11", KindVarbind},
		{MTA, "SnmpMibObjectLong", "mta:64", KindVarbindLen16},
		{MTA, "SnmpV3TrapReceiver SnmpV3TrapRxPort", "mta:38.2", KindUint16},
		{MTA, "VendorSpecific VendorIdentifier", "mta:43.8", KindBytes},
		{MTA, "NetworkAccess", "3", KindUint8},
		{PS, "PsSnmpMibObject", "ps:28", KindVarbindLen16},
		{PS, "PsVendorSpecific PsVendorIdentifier", "ps:43.8", KindBytes},
		{DPoE, "L2CPManagement L2CPManagementMode", "dpoe:83.2", KindUint8},
		{DPoE, "UpstreamAggregateServiceFlow ServingGroupName", "dpoe:70.38", KindZString},
		{DPoE, "UsServiceFlow SFCollection", "dpoe:24.44", KindUint16},
		{DPoE, "UsServiceFlow UsServiceFlowRef", "24.1", KindUint16},
	} {
		d := Root(tt.dialect)
		for _, k := range strings.Fields(tt.path) {
			c, _, ok := d.Child(k)
			if !ok {
				t.Fatalf("%s: %s has no %s", tt.path, d.Title(), k)
			}
			d = c
		}
		if d.Path != tt.want || d.Kind != tt.kind {
			t.Errorf("%s is %s, %s, want %s, %s", tt.path, d.Path, d.Kind, tt.want, tt.kind)
		}
	}
	if _, _, ok := Root(MTA).Child("CMTSStaticMulticastSessionEncodings"); ok {
		t.Error("64 in an MTA's file is a varbind, but the modem's group is found too")
	}
	if _, _, ok := at(t, "25").Child("MaxRateDown"); ok {
		t.Error("MaxRateDown found in DsServiceFlow")
	}
}

func TestForms(t *testing.T) {
	for _, tt := range []struct {
		keyword string
		want    Form
		code    uint8
	}{
		{"ManufacturerCVC", FormFile, 32},
		{"MfgCVCData", FormBytes, 32},
		{"CoSignerCVC", FormFile, 33},
		{"CoSignerCVCData", FormBytes, 33},
		{"ManufacturerCVCChain", FormBytes, 81},
		{"ManufacturerCVCChainFile", FormFile, 81},
		{"CoSignerCVCChain", FormBytes, 82},
		{"cosignercvcchainfile", FormFile, 82},
		{"DigitMap", FormDigitMap, 11},
		{"SnmpMibObject", FormPlain, 11},
	} {
		d, form, ok := Root(CM).Child(tt.keyword)
		if !ok || form != tt.want || d.Code != tt.code {
			t.Errorf("%s: %v, %v, %v", tt.keyword, d, form, ok)
		}
	}
	if _, form, ok := Root(MTA).Child("DigitMap"); !ok || form != FormDigitMap {
		t.Errorf("an MTA's DigitMap: %v, %v", form, ok)
	}
}

func TestLenBytes(t *testing.T) {
	for _, tt := range []struct {
		path string
		want int
	}{
		{"0", 0},
		{"255", 0},
		{"219.255", 0},
		{"3", 1},
		{"24", 1},
		{"64", 1},
		{"mta:64", 2},
		{"ps:28", 2},
		{"28", 1},
		{"103", 2},
		{"104", 2},
		{"103.3", 1},
		{"103.3.1", 2},
		{"104.1.1", 2},
	} {
		if d := at(t, tt.path); d.LenBytes() != tt.want {
			t.Errorf("%s: %d, want %d", tt.path, d.LenBytes(), tt.want)
		}
	}
}

// FACTS, trap 9; the codes are those that the files named in the corpus' list need.
func TestLenient(t *testing.T) {
	for _, tt := range []struct {
		dialect Dialect
		keyword string
		path    string
	}{
		{CM, "UsServiceFlowRef", "24.1"},
		{CM, "ExtendedCMTSMICConfigurationSetting", "22.43.6"},
		{CM, "DownstreamAggregateServiceFlowReference", "25.36"},
		{CM, "UpstreamAggregateServiceFlowReference", "24.36"},
		{CM, "UpstreamChannelId", "2"},
		{CM, "UpstreamChannelID", "46.3"},
		{CM, "ErrorCode", "22.8.2"},
		{MTA, "VendorSpecific", "mta:43"},
		{MTA, "UsServiceFlowRef", "24.1"},
	} {
		d, _, ok := Lenient(tt.dialect, tt.keyword)
		if !ok || d.Path != tt.path {
			t.Errorf("%s: %v, want %s", tt.keyword, d, tt.path)
		}
	}
	if _, _, ok := Lenient(CM, "SnmpMibObjectLong"); ok {
		t.Error("a modem's file has no SnmpMibObjectLong")
	}
}

func TestMisplaced(t *testing.T) {
	for _, tt := range []struct {
		parent, keyword string
		want            string
	}{
		{"25", "MaxRateDown", "MaxRateDown is not allowed in DsServiceFlow, only in ClassOfService (4); TLV 2 of DsServiceFlow is DsServiceFlowId"},
		{"25", "UsServiceFlowRef", "UsServiceFlowRef is not allowed in DsServiceFlow, only in UsServiceFlow (24); TLV 1 of DsServiceFlow is DsServiceFlowRef"},
		{"4", "SchedulingType", "SchedulingType is not allowed in ClassOfService, only in UsServiceFlow (24); ClassOfService has no TLV 15"},
		{"24", "NetworkAccess", "NetworkAccess is not allowed in UsServiceFlow, only at the top of the file; TLV 3 of UsServiceFlow is ServiceIdentifier"},
		{"24", "MaxRateSustaind", "unknown keyword MaxRateSustaind; did you mean MaxRateSustained?"},
		{"24", "NetworkAcess", "unknown keyword NetworkAcess; did you mean NetworkAccess at the top of the file?"},
		{"24", "Gurkensalat", "unknown keyword Gurkensalat"},
	} {
		got := at(t, tt.parent).Misplaced(tt.keyword)
		if got != tt.want {
			t.Errorf("%s in %s:\n got %s\nwant %s", tt.keyword, tt.parent, got, tt.want)
		}
	}
	for _, tt := range []struct {
		file    Dialect
		keyword string
		want    string
	}{
		{PS, "EndOfData", "EndOfData is not allowed at the top of a portal service file, only at the top of a modem file; " +
			"TLV 255 of the file is PsEndOfData, which the compiler adds; leave it out"},
		{PS, "SwUpgradeFilename", "SwUpgradeFilename is not allowed at the top of a portal service file, only at the top of a modem file; TLV 9 of the file is PsSwUpgradeFilename"},
		{MTA, "MaxRateDown", "MaxRateDown is not allowed at the top of an MTA file, only in ClassOfService (4); TLV 2 of the file is UpstreamChannelId"},
		{CM, "PsSnmpMibObject", "PsSnmpMibObject is not allowed at the top of the file, only at the top of a portal service file; TLV 28 of the file is MaxClassifiers"},
	} {
		if got := Root(tt.file).Misplaced(tt.keyword); got != tt.want {
			t.Errorf("%s in a file of %v:\n got %s\nwant %s", tt.keyword, tt.file, got, tt.want)
		}
	}
}
