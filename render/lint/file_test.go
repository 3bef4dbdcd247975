package lint_test

import "dcs/render/lint"

var fileCases = []ruleCase{
	{rule: "net-access-missing", bad: `MaxCPE 2; ` + flows, good: sound},
	{rule: "qos-missing", bad: base, good: sound},
	{rule: "qos-missing", bad: base, good: base + `ClassOfService { ClassID 1; MaxRateUp 128000; }`},
	{rule: "cos-with-flows", bad: sound + `ClassOfService { ClassID 1; }`, good: sound},
	{rule: "cos-with-flows", bad: base + `ClassOfService { ClassID 1; } UpstreamDropPacketClassification { ClassifierReference 1; }`, good: base + `ClassOfService { ClassID 1; }`},
	{rule: "net-access-off", bad: `NetworkAccess 0; ` + flows, good: sound},
	{rule: "group-empty", bad: `0x030101 1800`, good: sound},
}

var repeatCases = []ruleCase{
	{rule: "dup-singleton", bad: sound + `MaxCPE 2;`, good: sound},
	{rule: "dup-singleton", bad: sound + `MaxCPE 3;`, good: sound, severity: lint.Error},
	{rule: "dup-singleton", bad: `0x030101 180a 01020001 060107 060107`, good: sound + `CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02;`},
}
