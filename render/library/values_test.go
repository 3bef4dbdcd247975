package library_test

import (
	"slices"
	"strings"
	"testing"

	"dcs/render/attr"
	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/lint"
)

// A template is judged by the values that devices have: what all can do is no finding, what some cannot is less than what none can.
func TestValues(t *testing.T) {
	const src = `Main ~ "." { NetworkAccess 1; MaxCPE $cpe; GlobalPrivacyEnable 1; SnmpMibObject docsDevNmAccessStatus.1 Integer 4;
		UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; ServiceClassName "$class"; }
		DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxTrafficBurst 100000; MaxRateSustained $down * 1000000; } }`
	schema, err := attr.NewSchema("class", "cpe", "down")
	if err != nil {
		t.Fatal(err)
	}
	snap, err := library.LoadFile(library.Config{MIB: mib.Default(), Schema: schema, Learned: 1}, "a.dcs", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	judge := func(v *library.Values) string {
		t.Helper()
		y := snap.Survey(v)
		var set lint.Set
		for f := range y.Files(snap.Templates()[0]) {
			set.Add(f, &lint.Options{})
		}
		var out []string
		for _, f := range set.Findings() {
			if slices.Contains([]string{"rate-overflow", "scn-length", "tlv-range", "tlv-too-long"}, f.Rule.ID) && !slices.Contains(out, f.Severity.String()+" "+f.Rule.ID) {
				out = append(out, f.Severity.String()+" "+f.Rule.ID)
			}
		}
		slices.Sort(out)
		return strings.Join(out, ", ")
	}
	// In another order than the library's, and one attribute that it does not have.
	theirs, err := attr.NewSchema("note", "down", "class", "cpe")
	if err != nil {
		t.Fatal(err)
	}
	fleet := func(rows ...string) *library.Values {
		v := new(library.Values)
		for _, r := range rows {
			v.Add(theirs, &attr.Device{Values: append([]string{"x"}, strings.Split(r, ",")...)})
		}
		return v
	}
	for _, tt := range []struct {
		name string
		v    *library.Values
		want string
	}{
		{"any values", nil, "note rate-overflow, note scn-length, note tlv-range, note tlv-too-long"},
		{"all fit", fleet("10,gold,1", "4000,silver,16", "500,,"), ""},
		{"one rate is in bit/s", fleet("10,gold,1", "5000000,gold,1"), "warning rate-overflow"},
		{"all rates are", fleet("5000000,gold,1", "9000000,gold,1"), "error rate-overflow"},
		{"one name is long", fleet("10,gold,1", "10,sixteen-letters!,1"), "warning scn-length"},
		{"all are", fleet("10,sixteen-letters!,1"), "error scn-length"},
		{"too many CPEs", fleet("10,gold,256"), "warning tlv-range"},
		{"one is no number", fleet("10,gold,1", "fast,gold,1"), "note rate-overflow, note tlv-range"},
		{"no device", new(library.Values), "note rate-overflow, note scn-length, note tlv-range, note tlv-too-long"},
	} {
		if got := judge(tt.v); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}

// Ten million devices leave no garbage.
func TestValuesNoAllocs(t *testing.T) {
	schema, err := attr.NewSchema("down", "class")
	if err != nil {
		t.Fatal(err)
	}
	v, d := new(library.Values), &attr.Device{Values: []string{"500", "gold"}}
	v.Add(schema, d)
	if n := testing.AllocsPerRun(100, func() { v.Add(schema, d) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
