package lint_test

import (
	"strings"
	"testing"

	"dcs/render/lint"
)

// up and down are a flow of each direction with the given parameters; of one direction alone a file is not sound.
func up(parameters string) string {
	return base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; ` + parameters + ` } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`
}

func down(parameters string) string {
	return base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; ` + parameters + ` }`
}

var flowCases = []ruleCase{
	{rule: "sf-ref", bad: base + `UsServiceFlow { QosParamSetType 7; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`, good: sound},
	{rule: "sf-ref", bad: `0x030101 1807 01020000 060107 1907 01020002 060107`, good: `0x030101 1807 01020001 060107 1907 01020002 060107`},
	{rule: "sf-ref-dup", bad: sound + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }`, good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; }`},
	{rule: "sf-ref-dup", bad: sound + `DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`, good: sound + `DsServiceFlow { DsServiceFlowRef 3; QosParamSetType 7; }`},
	{rule: "sf-set-type-missing", bad: base + `UsServiceFlow { UsServiceFlowRef 1; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`, good: sound},
	{rule: "sf-set-type-missing", bad: sound + `DsServiceFlow { DsServiceFlowRef 3; ServiceClassName "gold"; }`, good: sound},
	{rule: "sf-set-type-value", bad: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 0; }`, good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 1; }`},
	{rule: "sf-set-type-value", bad: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 8; }`, good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 3; }`},
	{rule: "sf-set-type-subset", bad: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 6; }`, good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 3; }`},
	{
		rule: "sf-primary-inactive",
		bad:  base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 1; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`,
		good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 1; }`,
	},
	{rule: "sf-primary-kind", bad: up(`SchedulingType 3; RequestOrTxPolicy 0x00000000;`), good: up(`SchedulingType 2;`)},
	{rule: "sf-primary-kind", bad: up(`ServiceFlowRequiredAttributeMask 0x80000000;`), good: up(`ServiceFlowForbiddenAttributeMask 0x80000000;`)},
	{
		rule: "sf-primary-kind", bad: sound + `UsPacketClass { ClassifierRef 1; ServiceFlowRef 1; IpPacketClassifier { IpProto 17; } }`,
		good: sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; } UsPacketClass { ClassifierRef 1; ServiceFlowRef 3; IpPacketClassifier { IpProto 17; } }`,
	},
	{rule: "sf-one-direction", bad: base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; }`, good: sound},
	{rule: "sf-one-direction", bad: base + `DsServiceFlow { DsServiceFlowRef 1; QosParamSetType 7; }`, good: sound},
	{rule: "sf-wrong-direction", bad: down(`GenericTLV TlvCode 16 TlvValue 0x00000000;`), good: up(`RequestOrTxPolicy 0x00000000;`)},
	{rule: "scn-length", bad: `0x030101 1819 01020001 060107 0410 4142434445464748494a4b4c4d4e4f50`, good: down(`ServiceClassName "fifteen-letters";`)},
	{rule: "scn-length", bad: `0x030101 180a 01020001 060107 0401 00`, good: down(`ServiceClassName "g";`)},
	{rule: "scn-length", bad: `0x030101 180d 01020001 060107 0404 41004200`, good: sound},
	{rule: "scn-unknown", bad: down(`ServiceClassName "glod";`), good: down(`ServiceClassName "gold";`), options: lint.Options{Classes: []string{"silver", "gold"}}},
	{rule: "scn-override", bad: down(`ServiceClassName "gold"; MaxRateSustained 5000000;`), good: down(`ServiceClassName "gold";`)},
	{rule: "tos-ecn", bad: down(`IpTosOverwrite 0x00b8;`), good: down(`IpTosOverwrite 0x03b8;`)},
	{rule: "tos-ecn", bad: down(`IpTosOverwrite 0x03b9;`), good: sound},
	{
		rule: "attr-masks", bad: down(`ServiceFlowRequiredAttributeMask 0x80000000; ServiceFlowForbiddenAttributeMask 0xc0000000;`),
		good: down(`ServiceFlowRequiredAttributeMask 0x80000000; ServiceFlowForbiddenAttributeMask 0x40000000;`),
	},
	{rule: "attr-masks", bad: sound + `VendorSpecific { VendorIdentifier 0xffffff; CMAttributeMasks { CMUpstreamRequiredAttributeMask 0x00000001; CMUpstreamForbiddenAttributeMask 0x00000001; } }`, good: sound},

	{rule: "rate-overflow", bad: `0x030101 180b 01020001 0805 0100000000`, good: down(`MaxRateSustained 4294967295;`)},
	{rule: "rate-min-over-max", bad: down(`MaxRateSustained 100000; MinReservedRate 200000;`), good: down(`MaxRateSustained 200000; MinReservedRate 200000;`)},
	{rule: "rate-min-over-max", bad: down(`MaxRateSustained 100000; MinReservedRate 100001;`), good: down(`MaxRateSustained 0; MinReservedRate 200000;`)},
	{
		rule: "rate-min-over-max",
		bad:  base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MinReservedRate 600000; UpstreamAggregateServiceFlowReference 5; } UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; MinReservedRate 600000; UpstreamAggregateServiceFlowReference 5; } UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 5; MaxRateSustained 1000000; }`,
		good: base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MinReservedRate 400000; UpstreamAggregateServiceFlowReference 5; } UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; MinReservedRate 600000; UpstreamAggregateServiceFlowReference 5; } UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 5; MaxRateSustained 1000000; }`,
	},
	{rule: "rate-peak-below-max", bad: down(`MaxRateSustained 1000000; MaxTrafficBurst 3044; DownstreamPeakTrafficRate 900000;`), good: down(`MaxRateSustained 1000000; MaxTrafficBurst 3044; DownstreamPeakTrafficRate 0;`)},
	{rule: "rate-zero", bad: down(`MaxRateSustained 0;`), good: base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 1000000; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; ServiceClassName "gold"; }`},
	{rule: "rate-unit-guess", bad: down(`MaxRateSustained 50;`), good: down(`MaxRateSustained 64000;`)},
	{rule: "rate-unit-guess", bad: down(`MaxRateSustained 63; DataRateUnitSetting 1;`), good: down(`MaxRateSustained 64; DataRateUnitSetting 1;`)},
	{
		rule: "rate-unit-guess", bad: base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5000000; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 100000; }`,
		good: base + `UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5000000; } DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 500000; }`,
	},
	{rule: "rate-unit-old", bad: down(`MaxRateSustained 50000; DataRateUnitSetting 1;`), good: down(`MaxRateSustained 50000000;`), options: lint.Options{Version: lint.V30}},
	{rule: "rate-reserved", bad: down(`MaxRateSustained 1000000; MinReservedRate 100000;`), good: down(`MinReservedRate 0;`)},
	{rule: "burst-small", bad: down(`MaxTrafficBurst 1521;`), good: down(`MaxTrafficBurst 1522;`)},
	{rule: "burst-small", bad: up(`MaxTrafficBurst 1;`), good: up(`MaxTrafficBurst 0;`)},
	{rule: "burst-default", bad: down(`MaxRateSustained 10000000;`), good: down(`MaxRateSustained 9999999;`)},
	{rule: "burst-default", bad: down(`MaxRateSustained 1; DataRateUnitSetting 3;`), good: down(`MaxRateSustained 1; DataRateUnitSetting 3; MaxTrafficBurst 1000000;`)},
	{rule: "concat-over-burst", bad: up(`MaxTrafficBurst 2000; MaxConcatenatedBurst 2001;`), good: up(`MaxTrafficBurst 2000; MaxConcatenatedBurst 2000;`)},
	{rule: "concat-over-burst", bad: up(`MaxConcatenatedBurst 3045;`), good: up(`MaxConcatenatedBurst 3044;`)},
	{rule: "concat-over-burst", bad: up(`MaxConcatenatedBurst 0;`), good: up(`MaxTrafficBurst 0; MaxConcatenatedBurst 9000;`), options: lint.Options{Version: lint.V20}, severity: lint.Warning},
	{rule: "buffer-order", bad: up(`BufferControl { MinimumBuffer 2000; MaximumBuffer 1000; }`), good: up(`BufferControl { MinimumBuffer 1000; TargetBuffer 2000; MaximumBuffer 0; }`)},
}

// Rates that a request decides are judged by the values that they can have.
func TestRateSlots(t *testing.T) {
	for _, tt := range []struct {
		name     string
		more     string // after the reference and the rate of the first flow
		min, max int64
		rule     string
		want     lint.Severity
		none     bool
	}{
		{"too large for some", ``, 1000, 5_000_000_000, "rate-overflow", lint.Warning, false},
		{"too large for all", ``, 5_000_000_000, 10_000_000_000, "rate-overflow", lint.Error, false},
		{"never too large", ``, 1000, 1<<32 - 1, "rate-overflow", 0, true},
		{"below the reserved rate for some", `MinReservedRate 2000;`, 1000, 3000, "rate-min-over-max", lint.Warning, false},
		{"below the reserved rate for all", `MinReservedRate 2000;`, 1000, 1999, "rate-min-over-max", lint.Error, false},
		{"above the reserved rate", `MinReservedRate 2000;`, 2000, 3000, "rate-min-over-max", 0, true},
		{"a unit that is too small for all", ``, 8, 63_999, "rate-unit-guess", lint.Warning, false},
		{"a unit that may be right", ``, 8, 64_000, "rate-unit-guess", 0, true},
		{"the default burst for all", ``, 10_000_000, 20_000_000, "burst-default", lint.Warning, false},
	} {
		f := overlay(t, `UsServiceFlow { UsServiceFlowRef 1; MaxRateSustained 1; QosParamSetType 7; `+tt.more+`} DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; } `+base,
			lint.Slot{Off: 8, Len: 4, Numeric: true, Min: tt.min, Max: tt.max, Bounded: true, MinLen: 4, MaxLen: 4, Text: "$down * 1000"})
		got := find(lint.Check(f, &lint.Options{}), tt.rule)
		if tt.none != (got == nil) || got != nil && (got.Severity != tt.want || got.Severity < lint.ByID(tt.rule).Severity && !strings.HasSuffix(got.Text, ", for some values of $down * 1000")) {
			t.Errorf("%s: %+v", tt.name, got)
		}
	}
}
