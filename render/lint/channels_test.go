package lint_test

import "dcs/render/lint"

var channelCases = []ruleCase{
	{rule: "ds-freq-step", bad: sound + `DownstreamFrequency 500000001;`, good: sound + `DownstreamFrequency 500000000;`},
	{rule: "ds-freq-step", bad: sound + `DsChannelList { SingleDsChannel { SingleDsFrequency 500000001; } }`, good: sound + `DsChannelList { SingleDsChannel { SingleDsFrequency 500062500; } }`},
	{rule: "ds-freq-range", bad: `0x0104000000c8`, good: sound + `DownstreamFrequency 500000000;`},
	{rule: "ds-freq-range", bad: sound + `DownstreamFrequency 900000000;`, good: sound + `DownstreamFrequency 860000000;`, options: lint.Options{Version: lint.V20}},
	{rule: "scan-list", bad: `0x2906 0104 01020001`, good: sound + `DsChannelList { DefaultScanTimeout 10; }`},
	{
		rule: "scan-list",
		bad:  sound + `DsChannelList { DsFreqRange { DsFreqRangeStart 600000000; DsFreqRangeEnd 500000000; DsFreqRangeStepSize 6000000; } }`,
		good: sound + `DsChannelList { DsFreqRange { DsFreqRangeStart 600000000; DsFreqRangeEnd 624000000; DsFreqRangeStepSize 6000000; } }`,
	},
	{rule: "scan-list", bad: sound + `DsChannelList { DsFreqRange { DsFreqRangeStart 600000000; DsFreqRangeEnd 624000001; DsFreqRangeStepSize 6000000; } }`, good: sound},
	{rule: "scan-list", bad: sound + `DownstreamFrequency 500000000; DsChannelList { DefaultScanTimeout 10; }`, good: sound, severity: lint.Warning},
	{rule: "us-channel-reserved", bad: sound + `UpstreamChannelId 255;`, good: sound + `UpstreamChannelId 4;`},
	{rule: "docsis20-enable", bad: sound + `DocsisTwoEnable 1;`, good: sound},
	{rule: "diplexer", bad: `0x5403 010105`, good: `0x5403 010104`},
	{rule: "diplexer", bad: `0x6008 02020100 03020100`, good: `0x6008 02020100 03020101`},
	{rule: "energy", bad: sound + `EnergyManagementParameter { EnergyManagementFeatureControl 0; EnergyManagement1x1Mode { DownstreamActivityDetectionParameters { DownstreamEntryBitrateThreshold 5; } } }`, good: sound + `EnergyManagementParameter { EnergyManagementFeatureControl 1; EnergyManagement1x1Mode { DownstreamActivityDetectionParameters { DownstreamEntryBitrateThreshold 5; DownstreamExitBitrateThreshold 6; } } }`},
	{rule: "test-modes", bad: sound + `EnableTestModes 1;`, good: sound + `EnableTestModes 0;`},
}

var cosCases = []ruleCase{
	{rule: "cos-class-id", bad: base + `ClassOfService { MaxRateUp 1; }`, good: base + `ClassOfService { ClassID 1; } ClassOfService { ClassID 2; }`},
	{rule: "cos-class-id", bad: base + `ClassOfService { ClassID 1; } ClassOfService { ClassID 1; }`, good: sound},
	{rule: "cos-class-id", bad: `0x0403 010111`, good: `0x0403 010110`},
	{rule: "cos-guaranteed", bad: base + `ClassOfService { ClassID 1; MaxRateUp 1000; GuaranteedUp 1001; }`, good: base + `ClassOfService { ClassID 1; MaxRateUp 1000; GuaranteedUp 1000; }`},
	{rule: "cos-on-3x", bad: base + `ClassOfService { ClassID 1; }`, good: sound},
}
