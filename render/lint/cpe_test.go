package lint_test

import "dcs/render/lint"

const manage = sound + `SubMgmtControl 0x001003; `

var cpeCases = []ruleCase{
	{rule: "max-cpe", bad: `NetworkAccess 1; MaxCPE 0; ` + flows, good: sound},
	{rule: "cpe-macs", bad: `NetworkAccess 1; MaxCPE 1; CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02; `, good: `MaxCPE 2; CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:02; `},
	{rule: "cpe-macs", bad: sound + `CpeMacAddress 01:00:00:00:00:01;`, good: sound + `CpeMacAddress 02:00:00:00:00:01;`},
	{rule: "cpe-macs", bad: sound + `CpeMacAddress 00:00:00:00:00:00;`, good: sound},
	{rule: "cpe-macs", bad: sound + `CpeMacAddress 00:00:00:00:00:01; CpeMacAddress 00:00:00:00:00:01;`, good: sound},
	{rule: "submgt-inactive", bad: sound + `SubMgmtFilters 1,2,0,0;`, good: manage + `SubMgmtFilters 1,2,0,0;`},
	{rule: "submgt-inactive", bad: sound + `SubMgmtControl 0x001002; SubMgmtFilters 1,2,0,0;`, good: manage},
	{rule: "submgt-zero", bad: sound + `SubMgmtControl 0x000001;`, good: sound + `SubMgmtControl 0x000001; SubscriberManagementCPEIPTable 10.1.2.3;`},
	{rule: "submgt-zero", bad: manage + `SubMgmtControl6 0;`, good: manage + `SubMgmtControl6 1;`},
	{rule: "submgt-filters", bad: `0x25040001 0002`, good: manage + `SubMgmtFilters 1,2,0,0;`},
	{rule: "submgt-filters", bad: manage + `SubMgmtFilters 1025,2,0,0;`, good: manage + `SubMgmtFilters 1024,2,0,0,0,0;`, severity: lint.Warning},
	{rule: "submgt-max", bad: sound + `SubMgmtControl 0x000101; SubscriberManagementCPEIPTable 10.1.2.3,10.1.2.4;`, good: manage},
	{rule: "submgt-max", bad: sound + `SubMgmtControl 0x001007;`, good: manage},
	{rule: "submgt-vs-maxcpe", bad: manage, good: sound + `SubMgmtControl 0x000203;`},
}

var originCases = []ruleCase{
	{rule: "time-literal", bad: sound + `TftpTimestamp 3900000000;`, good: sound},
	{rule: "address-literal", bad: sound + `TftpModemAddress 10.1.2.3;`, good: sound, severity: lint.Warning},
	{rule: "address-family", bad: sound + `TftpModemAddress 10.1.2.3; TFTPProvisionedModemIPv6Address 2001:db8::1;`, good: sound + `TftpModemAddress 10.1.2.3;`},
	{rule: "address-family", bad: sound + `TftpModemAddress 0.0.0.0;`, good: sound},
}

var softwareCases = []ruleCase{
	{rule: "sw-pair", bad: sound + `SwUpgradeServer 10.1.2.3;`, good: sound + `SwUpgradeServer 10.1.2.3; SwUpgradeFilename "a.bin";`},
	{rule: "sw-pair", bad: `0x0900 15040a010203`, good: `0x090161 15040a010203`},
	{rule: "sw-no-cvc", bad: sound + `SwUpgradeFilename "a.bin";`, good: sound + `SwUpgradeFilename "a.bin"; MfgCVCData 0x3082000130;`},
	{rule: "sw-name", bad: sound + `SwUpgradeFilename "0123456789012345678901234567890123456789012345678901234567890.bin";`, good: sound + `SwUpgradeFilename "012345678901234567890123456789012345678901234567890123456789.bin";`},
	{rule: "sw-name", bad: `0x0902610a`, good: `0x09026162`},
	{rule: "sw-ignored", bad: sound + `SwUpgradeFilename "a"; SnmpMibObject docsDevSwAdminStatus.0 Integer 3;`, good: sound + `SwUpgradeFilename "a"; SnmpMibObject docsDevSwAdminStatus.0 Integer 2;`},
}

var privacyCases = []ruleCase{
	{rule: "bpi-range", bad: `0x1106 01040000001f`, good: `0x1106 01040000001e`},
	{rule: "bpi-range", bad: base + `ClassOfService { ClassID 1; } BaselinePrivacy { TEKGraceTime 3600; }`, good: sound + `BaselinePrivacy { TEKGraceTime 3600; }`},
	{rule: "bpi-off", bad: `GlobalPrivacyEnable 0; ` + flows, good: sound},
	{rule: "bpi-off", bad: base + `ClassOfService { ClassID 1; }`, good: base + `ClassOfService { ClassID 1; PrivacyEnable 1; }`},
	{rule: "bpi-incomplete", bad: sound + `BaselinePrivacy { AuthTimeout 10; }`, good: sound + `BaselinePrivacy { SAMapWaitTimeout 1; SAMapMaxRetries 4; }`},
}
