package lint_test

import "dcs/render/lint"

var wireCases = []ruleCase{
	{rule: "tlv-truncated", bad: `0x030101 1208 01`, good: `0x030101 120101`},
	{rule: "tlv-truncated", bad: `0x030101 1804 01030001`, good: `0x030101 1804 01020001`},
	{rule: "tlv-truncated", bad: `0xfe0101 0b05 30`, good: `0xfe0101 fe01ff`},
	{rule: "tlv-length", bad: `0x030101 12020101`, good: `0x030101 120101`},
	{rule: "tlv-length", bad: `0x030101 1803 010101`, good: `0x030101 1804 01020001`},
	{rule: "tlv-length", bad: `0x030101 1803 040161`, good: `0x030101 1804 04026100`},
	{rule: "tlv-length", bad: `0x030101 0b0401020304`, good: `0x030101 0b0b 3009 06042b060103 020101`},
	{rule: "tlv-length", bad: sound + `DsChannelList { SingleDsChannel { SingleDsTimeout 1; } }`, good: sound},
	{rule: "tlv-unknown", bad: sound + `GenericTLV TlvCode 199 TlvValue 0x01;`, good: sound},
	{rule: "tlv-unknown", bad: sound + `GenericTLV TlvCode 16 TlvValue 0x0a000001;`, good: sound + `VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 99 TlvValue 0x01; }`},
	{rule: "tlv-registration-only", bad: sound + `ModemIPAddress 10.1.2.3;`, good: sound},
	{rule: "tlv-registration-only", bad: base + `UsServiceFlow { UsServiceFlowRef 1; UsServiceFlowId 2; }`, good: sound},
	{rule: "tlv-newer", bad: sound + `SubMgmtControl6 5;`, good: sound, options: lint.Options{Version: lint.V20}},
	{rule: "tlv-dialect", bad: `0x030101 fe0101`, good: sound},
	{rule: "tlv-dialect", bad: `0x030101 40000b 3009 06042b060103 020101`, good: sound},
	{rule: "tlv-dialect", bad: `0xfe0101 030101 fe01ff`, good: `0xfe0101 fe01ff`},
	{rule: "pad-inside", bad: `0x030101 00 120101`, good: `0x030101 120101 ff 00`},
	{rule: "tlv-range", bad: `0x030102`, good: `0x030101`},
}
