package lint_test

import "dcs/render/lint"

// class is a sound file with an upstream classifier for another flow than the primary one.
func class(criteria string) string {
	return second(``) + `UsPacketClass { ClassifierRef 1; ServiceFlowRef 3; ` + criteria + ` }`
}

func ip(criteria string) string { return class(`IpPacketClassifier { ` + criteria + ` }`) }

// two is such a file with two classifiers, for different flows.
func two(a, b string) string {
	return second(``) + `UsServiceFlow { UsServiceFlowRef 4; QosParamSetType 7; } UsPacketClass { ClassifierRef 1; ServiceFlowRef 3; ` + a + ` } UsPacketClass { ClassifierRef 2; ServiceFlowRef 4; ` + b + ` }`
}

func drop(criteria string) string {
	return sound + `UpstreamDropPacketClassification { ClassifierReference 1; RulePriority 9; ` + criteria + ` }`
}

var classifierCases = []ruleCase{
	{rule: "cl-ref", bad: second(``) + `UsPacketClass { ServiceFlowRef 3; IpPacketClassifier { IpProto 17; } }`, good: ip(`IpProto 17;`)},
	{rule: "cl-ref", bad: `0x030101 160d 010100 03020001 0904 02020011`, good: ip(`IpProto 17;`)},
	{rule: "cl-ref", bad: two(`RulePriority 1;`, ``) + `UsPacketClass { ClassifierRef 2; ServiceFlowRef 3; }`, good: two(`RulePriority 1;`, ``)},
	{rule: "cl-ref", bad: ip(`IpProto 17;`) + `DsPacketClass { ClassifierRef 1; ServiceFlowRef 2; IpPacketClassifier { IpProto 17; } }`, good: sound, severity: lint.Warning},
	{rule: "cl-flow", bad: sound + `UsPacketClass { ClassifierRef 1; ServiceFlowRef 9; }`, good: ip(`IpProto 17;`)},
	{rule: "cl-flow", bad: sound + `UsPacketClass { ClassifierRef 1; ServiceFlowRef 2; }`, good: sound + `DsPacketClass { ClassifierRef 1; ServiceFlowRef 2; }`},
	{rule: "cl-flow", bad: sound + `UsPacketClass { ClassifierRef 1; }`, good: sound},
	{rule: "cl-empty", bad: class(`RulePriority 3;`), good: ip(`IpProto 17;`)},
	{rule: "cl-vlan", bad: class(`IEEE802Classifier { VlanID 100; }`), good: class(`IEEE802Classifier { VlanID 1600; }`)},
	{rule: "cl-vlan", bad: class(`IEEE802Classifier { VlanID 5; }`), good: class(`IEEE802Classifier { VlanID 16; }`)},
	{rule: "cl-vlan", bad: class(`IEEE802Classifier { VlanID 65520; }`), good: sound},
	{rule: "cl-families", bad: class(`IpPacketClassifier { IpProto 17; } PcIPv6PacketClassification { PcIPv6NextHeaderType 17; }`), good: ip(`IpProto 17;`)},
	{rule: "cl-families", bad: class(`IpPacketClassifier { IpProto 17; } ICMPv4ICMPv6PacketClassification { ICMPv4ICMPv6TypeStart 8; }`), good: class(`IpPacketClassifier { IpProto 1; } ICMPv4ICMPv6PacketClassification { ICMPv4ICMPv6TypeStart 8; }`)},
	{rule: "cl-families", bad: class(`PcIPv6PacketClassification { PcIPv6NextHeaderType 17; }`), good: ip(`IpProto 17;`), options: lint.Options{Version: lint.V20}},
	{rule: "cl-ethertype", bad: class(`LLCPacketClassifier { EtherType 0x050800; }`), good: class(`LLCPacketClassifier { EtherType 0x010800; }`)},
	{rule: "cl-ethertype", bad: class(`LLCPacketClassifier { EtherType 0x0200aa; }`), good: class(`LLCPacketClassifier { EtherType 0x0200f0; }`)},
	{rule: "cl-ethertype", bad: class(`LLCPacketClassifier { EtherType 0x020100; }`), good: sound},
	{rule: "cl-count", bad: two(`RulePriority 1;`, ``) + `MaxClassifiers 1;`, good: two(`RulePriority 1;`, ``) + `MaxClassifiers 2;`},

	{rule: "cl-overlap", bad: two(`IpPacketClassifier { IpProto 17; }`, `IpPacketClassifier { IpProto 257; }`), good: two(`RulePriority 2; IpPacketClassifier { IpProto 17; }`, `RulePriority 1; IpPacketClassifier { IpProto 257; }`)},
	{rule: "cl-overlap", bad: two(`IpPacketClassifier { IpDstAddr 10.0.0.0; IpDstMask 255.0.0.0; }`, `IpPacketClassifier { IpDstAddr 10.1.0.0; IpDstMask 255.255.0.0; }`), good: two(`IpPacketClassifier { IpDstAddr 10.2.0.0; IpDstMask 255.255.0.0; }`, `IpPacketClassifier { IpDstAddr 10.1.0.0; IpDstMask 255.255.0.0; }`)},
	{rule: "cl-overlap", bad: two(`IpPacketClassifier { IpProto 17; DstPortStart 5000; DstPortEnd 5100; }`, `IpPacketClassifier { IpProto 17; DstPortStart 5100; }`), good: two(`IpPacketClassifier { IpProto 17; DstPortStart 5000; DstPortEnd 5099; }`, `IpPacketClassifier { IpProto 17; DstPortStart 5100; }`)},
	{rule: "cl-overlap", bad: two(`IpPacketClassifier { IpTos 0x00b8fc; }`, `IpPacketClassifier { IpTos 0xb8b8fc; }`), good: two(`IpPacketClassifier { IpProto 17; }`, `PcIPv6PacketClassification { PcIPv6NextHeaderType 17; }`)},
	{rule: "cl-overlap", bad: two(`LLCPacketClassifier { EtherType 0x010800; }`, `IpPacketClassifier { IpProto 17; }`), good: two(`ActivationState 0; IpPacketClassifier { IpProto 17; }`, `IpPacketClassifier { IpProto 17; }`)},

	{rule: "cl-ports", bad: ip(`IpProto 17; SrcPortStart 10; SrcPortEnd 9;`), good: ip(`IpProto 17; SrcPortStart 9; SrcPortEnd 9;`)},
	{rule: "cl-ports", bad: ip(`IpProto 1; DstPortStart 80;`), good: ip(`IpProto 257; DstPortStart 80;`)},
	{rule: "cl-ports", bad: ip(`DstPortStart 80;`), good: ip(`IpProto 6; DstPortStart 80;`), severity: lint.Warning},
	{rule: "cl-mask", bad: ip(`IpSrcAddr 10.1.2.3; IpSrcMask 255.255.255.0;`), good: ip(`IpSrcAddr 10.1.2.0; IpSrcMask 255.255.255.0;`)},
	{rule: "cl-mask", bad: ip(`IpDstMask 255.255.255.0;`), good: ip(`IpDstAddr 10.1.2.3;`)},
	{rule: "cl-mask", bad: class(`PcIPv6PacketClassification { PcIPv6SourceAddress 2001:db8::1; PcIPv6SourcePrefixLength 33; }`), good: class(`PcIPv6PacketClassification { PcIPv6SourceAddress 2001:db8:8000::; PcIPv6SourcePrefixLength 33; }`)},
	{rule: "cl-mask", bad: class(`PcIPv6PacketClassification { PcIPv6DestPrefixLength 32; }`), good: sound},
	{rule: "cl-tos", bad: ip(`IpTos 0xb8a0fc;`), good: ip(`IpTos 0xa0b8fc;`)},
	{rule: "cl-tos", bad: ip(`IpTos 0xb9fcfc;`), good: ip(`IpTos 0xb8fcfc;`)},
	{rule: "cl-tos", bad: ip(`IpTos 0x00ff00;`), good: ip(`IpTos 0x000000;`)},
	{rule: "cl-tos", bad: ip(`IpTos 0xb8b8ff;`), good: ip(`IpTos 0xb8b8fc;`), severity: lint.Warning},

	{rule: "drop-form", bad: sound + `UpstreamDropPacketClassification { ClassifierReference 1; IPv4PacketClassification { IPProtocol 6; } }`, good: drop(`IPv4PacketClassification { IPProtocol 6; }`)},
	{rule: "drop-form", bad: `0x030101 3c0b 010101 050109 03020001 0901 00`, good: sound},
	{rule: "drop-form", bad: drop(`IPv4PacketClassification { IPProtocol 6; }`), good: sound, options: lint.Options{Version: lint.V20}},
	{
		rule: "drop-filters-both", bad: drop(`IPv4PacketClassification { IPProtocol 6; }`) + `SnmpMibObject docsDevFilterIpStatus.1 Integer 4;`,
		good: drop(`IPv4PacketClassification { IPProtocol 6; }`) + `SnmpMibObject docsDevNmAccessStatus.1 Integer 4;`,
	},
	{rule: "drop-all", bad: drop(``), good: drop(`IPv4PacketClassification { IPProtocol 6; }`)},
	{rule: "drop-all", bad: drop(`IPv4PacketClassification { IPProtocol 17; }`), good: drop(`IPv4PacketClassification { IPProtocol 17; DestinationPortStart 137; DestinationPortEnd 139; }`)},
	{rule: "drop-all", bad: drop(`IPv4PacketClassification { IPProtocol 256; }`), good: drop(`IPv4PacketClassification { IPProtocol 256; IPv4DestinationAddress 10.0.0.0; IPv4DestinationMask 255.0.0.0; }`)},
	{rule: "drop-all", bad: drop(`EthernetLLCPacketClassification { EthertypeDSAPMacType 0x010806; }`), good: drop(`EthernetLLCPacketClassification { EthertypeDSAPMacType 0x0186dd; }`)},

	{rule: "phs-refs", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 2; PHSServiceFlowRef 3; }`, good: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; }`},
	{rule: "phs-refs", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 1; }`, good: sound},
	{rule: "phs-refs", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; } PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; }`, good: sound},
	{rule: "phs-size", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; PHSField 0x0102; PHSSize 3; }`, good: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; PHSField 0x0102; PHSMask 0xc0; PHSSize 2; }`},
	{rule: "phs-size", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; PHSField 0x0102; PHSMask 0xc000; PHSSize 2; }`, good: sound},
	{rule: "phs-31", bad: ip(`IpProto 17;`) + `PHS { PHSClassifierRef 1; PHSServiceFlowRef 3; }`, good: ip(`IpProto 17;`), options: lint.Options{Version: lint.V31}},
}
