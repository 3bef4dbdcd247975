package lint_test

import "dcs/render/lint"

// second is a sound file with another upstream flow.
func second(parameters string) string {
	return sound + `UsServiceFlow { UsServiceFlowRef 3; QosParamSetType 7; ` + parameters + ` }`
}

const (
	grants = `UnsolicitedGrantSize 232; NominalGrantInterval 20000; ToleratedGrantJitter 800; GrantsPerInterval 1; `
	ugs    = `SchedulingType 6; RequestOrTxPolicy 0x0000007f; ` + grants
	rtps   = `SchedulingType 4; RequestOrTxPolicy 0x0000001f; NominalPollInterval 20000; `
)

var schedulingCases = []ruleCase{
	{rule: "sched-value", bad: `0x030101 180a 01020001 060107 0f0100`, good: second(ugs)},
	{rule: "sched-value", bad: `0x030101 180a 01020001 060107 0f0108`, good: `0x030101 180a 01020001 060107 0f0107`},
	{rule: "sched-value", bad: second(`SchedulingType 1;`), good: second(`SchedulingType 2;`), severity: lint.Warning},
	{rule: "ugs-required", bad: second(`SchedulingType 6; RequestOrTxPolicy 0x0000007f; UnsolicitedGrantSize 232; NominalGrantInterval 20000; GrantsPerInterval 1;`), good: second(ugs)},
	{rule: "ugs-required", bad: second(`SchedulingType 5; RequestOrTxPolicy 0x0000007f;`), good: second(`SchedulingType 6; ServiceClassName "voice";`)},
	{rule: "rtps-required", bad: second(`SchedulingType 4; RequestOrTxPolicy 0x0000001f;`), good: second(rtps)},
	{rule: "sched-not-applicable", bad: second(`GrantsPerInterval 1;`), good: second(ugs)},
	{rule: "sched-not-applicable", bad: second(ugs + `MaxRateSustained 1000000;`), good: second(rtps + `MaxRateSustained 1000000; ToleratedPollJitter 800;`)},
	{rule: "sched-not-applicable", bad: second(rtps + `TrafficPriority 3;`), good: second(`TrafficPriority 3;`)},
	{rule: "sched-policy", bad: second(`SchedulingType 6; ` + grants), good: second(ugs)},
	{rule: "sched-policy", bad: second(`SchedulingType 6; RequestOrTxPolicy 0x00000060; ` + grants), good: second(rtps)},
	{rule: "sched-policy", bad: second(`SchedulingType 6; RequestOrTxPolicy 0x0000001f; ` + grants), good: second(`RequestOrTxPolicy 0x00000000;`), severity: lint.Warning},
	{rule: "sched-policy", bad: second(`SchedulingType 4; RequestOrTxPolicy 0x00000003; NominalPollInterval 20000;`), good: second(rtps)},
	{rule: "sched-policy", bad: second(`RequestOrTxPolicy 0x00000800;`), good: second(`RequestOrTxPolicy 0x00000400;`), severity: lint.Warning},
	{rule: "sched-pgs", bad: `0x030101 180a 01020001 060107 0f0107`, good: `0x030101 1810 01020001 060107 0f0107 2d0400000001`},
	{rule: "sched-pgs", bad: `0x030101 1810 01020001 060107 0f0107 2d0400000001`, good: second(rtps), options: lint.Options{Version: lint.V30}},
	{rule: "sched-pgs", bad: second(`GuaranteedGrantRate 1000000;`), good: second(rtps), severity: lint.Warning},
}

const lld = `UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; MaxRateSustained 20000000; LowLatencyAggregateSFEncodings { LowLatencyServiceFlowReference 3; SchedulingWeight 230; } } ` +
	`DownstreamAggregateServiceFlow { DownstreamServiceFlowReference 9; LowLatencyAggregateSFEncodings { LowLatencyServiceFlowReference 4; } } ` +
	`DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; DownstreamAggregateServiceFlowReference 9; } DsServiceFlow { DsServiceFlowRef 4; QosParamSetType 7; DownstreamAggregateServiceFlowReference 9; } `

// member is an upstream flow of the aggregate of lld.
func member(ref, more string) string {
	return `UsServiceFlow { UsServiceFlowRef ` + ref + `; QosParamSetType 7; UpstreamAggregateServiceFlowReference 9; ` + more + `} `
}

var aggregateCases = []ruleCase{
	{rule: "asf-dangling", bad: base + member("1", ""), good: base + member("1", "") + `UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; }`},
	{rule: "asf-dangling", bad: sound + `UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; }`, good: sound + `UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; ServiceFlowMatchingCriteria { MatchingbyApplicationId 1; } }`},
	{rule: "asf-dangling", bad: base + member("1", "") + `UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; } UpstreamAggregateServiceFlow { UpstreamServiceFlowReference 9; }`, good: sound},
	{rule: "lld-members", bad: base + member("1", "") + member("5", "") + lld, good: base + member("1", "") + member("3", "") + lld},
	{rule: "lld-members", bad: base + member("3", "") + member("1", "") + lld, good: sound},
	{rule: "lld-members", bad: base + member("1", "") + member("3", "") + member("5", "") + lld, good: sound},
	{rule: "lld-members", bad: base + member("1", "") + member("3", "MaxRateSustained 1000000; ") + lld, good: sound, severity: lint.Warning},
	{rule: "lld-members", bad: base + member("1", "") + member("3", "") + lld + `LowLatencyDisable 1;`, good: base + member("1", "") + member("3", "") + lld + `LowLatencyDisable 0;`, severity: lint.Warning},
	{rule: "aqm-moot", bad: up(`AQMEncodings { SFAQMDisable 1; SFAQMLatencyTarget 10; }`), good: up(`AQMEncodings { SFAQMDisable 0; SFAQMLatencyTarget 10; }`)},
	{rule: "aqm-moot", bad: up(`AQMEncodings { AQMAlgorithm 2; SFAQMLatencyTarget 10; }`), good: up(`AQMEncodings { AQMAlgorithm 2; ImmediateAQMMaxThreshold 1000; }`)},
	{rule: "aqm-moot", bad: up(`AQMEncodings { ImmediateAQMMaxThreshold 1000; }`), good: up(`AQMEncodings { AQMAlgorithm 1; SFAQMLatencyTarget 100; }`)},
	{rule: "aqm-moot", bad: up(`AQMEncodings { SFAQMLatencyTarget 101; }`), good: sound},
	{rule: "aqm-moot", bad: up(`AQMEncodings { SFAQMLatencyTarget 10; }`) + ` CMUpstreamAQMDisable 1;`, good: sound + `CMUpstreamAQMDisable 1;`},
}
