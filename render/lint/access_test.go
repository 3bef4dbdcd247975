package lint_test

import "dcs/render/lint"

const (
	filterRow = `SnmpMibObject docsDevFilterIpStatus.1 Integer 4; SnmpMibObject docsDevFilterIpControl.1 Integer 1; `
	view      = `SNMPv3AccessViewConfiguration { SNMPv3AccessViewName "ops"; SNMPv3AccessViewSubtree .1.3.6; SNMPv3AccessViewType 1; } `
	managers  = `SNMPv1v2cTransportAddressAccess { SNMPv1v2cTransportAddress 10.0.0.0/161; SNMPv1v2cTransportAddressMask 255.0.0.0/0; } `
	receiver  = `SnmpV3TrapReceiver { SnmpV3TrapRxIP 10.0.0.1; SnmpV3TrapRxType 2; } `
	kick      = `SnmpV3Kickstart { SnmpV3SecurityName "ops"; SnmpV3MgrPublicNumber 0x0102; } `
)

// openTo is a row of docsDevNmAccessTable for an address that may write.
func openTo(ip, mask string) string {
	return `SnmpMibObject docsDevNmAccessIp.1 IPAddress ` + ip + `; SnmpMibObject docsDevNmAccessIpMask.1 IPAddress ` + mask + `;
	SnmpMibObject docsDevNmAccessCommunity.1 String "k7"; SnmpMibObject docsDevNmAccessControl.1 Integer 3;
	SnmpMibObject docsDevNmAccessInterfaces.1 HexString 0x40; SnmpMibObject docsDevNmAccessStatus.1 Integer 4; `
}

var accessCases = []ruleCase{
	{rule: "nm-open", bad: sound + openTo("255.255.255.255", "255.255.255.255"), good: sound + openTo("10.0.0.0", "255.0.0.0")},
	{rule: "nm-open", bad: sound + openTo("0.0.0.0", "255.255.255.255"), good: sound + accessRow},
	{rule: "nm-open", bad: sound + openTo("10.0.0.0", "0.0.0.0"), good: sound},
	{rule: "nm-open", bad: sound + `SnmpMibObject docsDevNmAccessIp.1 IPAddress 10.0.0.0; SnmpMibObject docsDevNmAccessStatus.1 Integer 4;`, good: sound + accessRow},

	{rule: "coexistence", bad: sound + `SNMPv1v2cCoexistenceConfig { ` + managers + `}`, good: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; ` + managers + `}`},
	{rule: "coexistence", bad: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; }`, good: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; SNMPv1v2cAccessViewType 2; ` + managers + `}`},
	{
		rule: "coexistence", bad: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; SNMPv1v2cAccessViewName "ops"; ` + managers + `}`,
		good: sound + view + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; SNMPv1v2cAccessViewName "ops"; ` + managers + `}`,
	},
	{
		rule: "coexistence", bad: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; ` + managers + `} SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; ` + managers + `}`,
		good: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; SNMPv1v2cAccessViewName "docsisManagerView"; ` + managers + `} SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k8"; ` + managers + `}`,
	},
	{
		rule: "coexistence", bad: `0x030101 3514 01026b37 020e 01060a00000000a1 02040a000000`,
		good: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; ` + managers + managers + `}`,
	},
	{rule: "coexistence", bad: sound + `SNMPv3AccessViewConfiguration { SNMPv3AccessViewSubtree .1.3.6; }`, good: sound + view},
	{rule: "coexistence", bad: sound + `SNMPv3AccessViewConfiguration { SNMPv3AccessViewName "ops"; }`, good: sound + view, severity: lint.Warning},
	{rule: "coexistence", bad: `0x030101 360e 01036f7073 02042b060102 040103`, good: sound + view},

	{rule: "kickstart", bad: sound + `SnmpV3Kickstart { SnmpV3SecurityName "ops"; }`, good: sound + kick},
	{rule: "kickstart", bad: sound + `SnmpV3Kickstart { SnmpV3MgrPublicNumber 0x0102; }`, good: sound + kick},
	{rule: "kickstart", bad: sound + kick + kick, good: sound + kick + `SnmpV3Kickstart { SnmpV3SecurityName "two"; SnmpV3MgrPublicNumber 0x0102; }`},

	{rule: "trap-receiver", bad: sound + `SnmpV3TrapReceiver { SnmpV3TrapRxType 2; }`, good: sound + receiver},
	{rule: "trap-receiver", bad: sound + `SnmpV3TrapReceiver { SnmpV3TrapRxIP 10.0.0.1; SnmpV3TrapRxType 4; }`, good: sound + `SnmpV3TrapReceiver { SnmpV3TrapRxIP6 2001:db8::1; SnmpV3TrapRxType 5; SnmpV3TrapRxSecurityName "ops"; }`},
	{rule: "trap-receiver", bad: sound + receiver + receiver, good: sound + receiver + `SnmpV3TrapReceiver { SnmpV3TrapRxIP 10.0.0.2; SnmpV3TrapRxType 2; } `},
	{rule: "trap-receiver", bad: `0x030101 260a 01040a000001 03020006`, good: `0x030101 260a 01040a000001 03020003`},

	{rule: "community-known", bad: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "private"; ` + managers + `}`, good: sound + `SNMPv1v2cCoexistenceConfig { SNMPv1v2cCommunityName "k7"; ` + managers + `}`},

	{rule: "filter-drops-all", bad: sound + filterRow, good: sound + filterRow + `SnmpMibObject docsDevFilterIpDestPortLow.1 Integer 137; SnmpMibObject docsDevFilterIpDestPortHigh.1 Integer 139;`},
	{rule: "filter-drops-all", bad: sound + `SnmpMibObject docsDevFilterIpStatus.1 Integer 4;`, good: sound + `SnmpMibObject docsDevFilterIpStatus.1 Integer 4; SnmpMibObject docsDevFilterIpControl.1 Integer 2;`},
	{
		rule: "filter-drops-all", bad: sound + filterRow + `SnmpMibObject docsDevFilterIpProtocol.1 Integer 256; SnmpMibObject docsDevFilterIpSmask.1 IPAddress 0.0.0.0;`,
		good: sound + `SnmpMibObject docsDevFilterIpStatus.2 Integer 4; SnmpMibObject docsDevFilterIpControl.2 Integer 1; ` + `SnmpMibObject docsDevFilterIpStatus.1 Integer 4; SnmpMibObject docsDevFilterIpControl.1 Integer 2; SnmpMibObject docsDevFilterIpDestPortLow.1 Integer 80;`,
	},
	{rule: "filter-drops-all", bad: sound + `SnmpMibObject docsDevFilterIpDefault.0 Integer 1;`, good: sound + `SnmpMibObject docsDevFilterIpDefault.0 Integer 2;`},

	{rule: "erouter-snmp", bad: sound + `eRouter { InitializationMode 3; SnmpMibObject docsDevNmAccessControl.1 Integer 2; }`, good: sound + `eRouter { InitializationMode 3; SnmpMibObject sysContact.0 String "x"; }`},
}

var vpnCases = []ruleCase{
	{rule: "l2vpn", bad: vpn(`NSIEncapsulation { NSIEncapsulationSingleQTag 100; }`, ``), good: vpn(`VPNIdentifier 0x01020304; NSIEncapsulation { NSIEncapsulationSingleQTag 100; }`, ``)},
	{rule: "l2vpn", bad: vpn(`VPNIdentifier 0x01020304; NSIEncapsulation { NSIEncapsulationSingleQTag 0; }`, ``), good: vpn(`VPNIdentifier 0x01020304; NSIEncapsulation { NSIEncapsulationSingleQTag 4094; }`, ``)},
	{rule: "l2vpn", bad: vpn(`VPNIdentifier 0x01020304; NSIEncapsulation { NSIEncapsulationSingleQTag 1; NSIEncapsulationDualQTag 1,2; }`, ``), good: vpn(`VPNIdentifier 0x01020304; NSIEncapsulation { NSIEncapsulationDualQTag 1,2; }`, ``)},
	{rule: "l2vpn", bad: vpn(`VPNIdentifier 0x01020304;`, `VPNIdentifier 0x01020305;`), good: vpn(`VPNIdentifier 0x01020304;`, `VPNIdentifier 0x01020304;`)},
	{rule: "l2vpn", bad: vpn(`VPNIdentifier 0x0102030405060708090a0b0c0d0e0f1011;`, ``), good: vpn(`VPNIdentifier 0x0102030405060708090a0b0c0d0e0f10;`, ``), severity: lint.Warning},

	{rule: "ext-mic", bad: `0x030101 2b0a 0803ffffff 0603 02017e`, good: extended(`ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x7effffffffffffffff;`)},
	{rule: "ext-mic", bad: `0x030101 2b0a 0803ffffff 0603 010101`, good: extended(`ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x7effffffffffffffff;`)},
	{rule: "ext-mic", bad: extended(`ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x10;`), good: extended(`ExtendedCMTSMICHMACDigestType 1; ExtendedCMTSMICHMACBitmap 0x7effffffffffffffff;`), severity: lint.Warning},
	{rule: "ext-mic", bad: `0x030101 2b0d 0803ffffff 0606 010101 0201fe`, good: `0x030101 2b0d 0803ffffff 0606 010101 02017e`},
	{rule: "ext-mic", bad: `0x030101 2b12 0803ffffff 060b 010101 0206 110000000010`, good: `0x030101 2b12 0803ffffff 060b 010101 0206 100000000010`, severity: lint.Warning},
	{rule: "ext-mic", bad: `0x030101 2b17 0803ffffff 0610 01012b 020b 7effffffffffffffffffff`, good: `0x030101 2b17 0803ffffff 0610 010101 020b 7effffffffffffffffffff`},

	{rule: "esafe-split", bad: `0x d802 0102 030101 d802 0304`, good: `0x030101 d802 0102 d802 0304`},
}

// vpn returns a file with an L2VPNEncoding at the top and one, if it is not empty, in a flow.
func vpn(top, flow string) string {
	within := ""
	if flow != "" {
		within = `VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { ` + flow + ` } } `
	}
	return base + `VendorSpecific { VendorIdentifier 0xffffff; L2VPNEncoding { ` + top + ` } }
		UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; ` + within + `} DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; }`
}

// extended returns a file with parameters of the extended CMTS MIC.
func extended(params string) string {
	return sound + `VendorSpecific { VendorIdentifier 0xffffff; ExtendedCMTSMICConfiguration { ` + params + ` } }`
}

const (
	line  = `SnmpMibObject PKTC-MTA-MIB::pktcMtaDevEnabled.0 Integer 1; SnmpMibObject ifAdminStatus.9 Integer 1; SnmpMibObject pktcNcsEndPntConfigCallAgentId.9 String "ca@ca.example.net"; SnmpMibObject pktcNcsEndPntConfigStatus.9 Integer 4; `
	realm = `SnmpMibObject pktcMtaDevRealmName.1 String "EXAMPLE.NET"; `
)

var lineCases = []ruleCase{
	{rule: "mta-frame", bad: `0xfe0102 fe01ff`, good: `0xfe0101 fe01ff`},
	{rule: "mta-frame", bad: `0xfe0101 fe0101 fe01ff`, good: `Mta { ` + line + `}`},
	{rule: "mta-frame", bad: `0xfe0101 fe01fe`, good: `Mta { hash na; ` + line + `}`},
	{rule: "mta-frame", bad: `0xfe0101 0b15301306 0e2b06010401a30b02020101010700020101`, good: `Mta { }`},
	{rule: "mta-family", bad: `Mta { ` + line + `SnmpMibObject PKTC-IETF-MTA-MIB::pktcMtaDevRealmName.1 String "EXAMPLE.NET"; }`, good: `Mta { ` + line + `SnmpMibObject sysContact.0 String "x"; }`},
	{rule: "mta-realm", bad: `Mta { SnmpMibObject pktcMtaDevRealmName.1 String "Example.net"; }`, good: `Mta { ` + realm + `}`},
	{rule: "mta-realm", bad: `Mta { ` + realm + `SnmpMibObject pktcMtaDevRealmName.2 String "EXAMPLE.NET"; }`, good: `Mta { ` + realm + `SnmpMibObject pktcMtaDevRealmName.2 String "OTHER.NET"; }`},
	{rule: "mta-realm", bad: `Mta { ` + realm + `SnmpMibObject pktcMtaDevCmsKerbRealmName.1 String "OTHER.NET"; }`, good: `Mta { ` + realm + `SnmpMibObject pktcMtaDevCmsKerbRealmName.1 String "EXAMPLE.NET"; }`},
	{
		rule: "mta-realm", bad: `Mta { SnmpMibObject pktcMtaDevCmsFqdn.1 String "cms.example.net"; SnmpMibObject pktcMtaDevCmsFqdn.2 String "CMS.example.net"; }`,
		good: `Mta { SnmpMibObject pktcMtaDevCmsFqdn.1 String "cms.example.net"; SnmpMibObject pktcMtaDevCmsFqdn.2 String "cms2.example.net"; }`,
	},
	{rule: "mta-basics", bad: `Mta { SnmpMibObject sysContact.0 String "x"; }`, good: `Mta { ` + line + `}`},
	{rule: "mta-basics", bad: `Mta { SnmpMibObject PKTC-MTA-MIB::pktcMtaDevEnabled.0 Integer 2; SnmpMibObject pktcNcsEndPntConfigCallAgentId.9 String "ca@ca.example.net"; }`, good: `Mta { ` + line + `}`},
	{rule: "mta-basics", bad: `Mta { ` + line + `SnmpMibObject pktcNcsEndPntConfigCallAgentId.10 String "ca.example.net"; }`, good: `Mta { ` + line + `}`},
	{rule: "mta-basics", bad: `Mta { SnmpMibObject PKTC-MTA-MIB::pktcMtaDevEnabled.0 Integer 1; SnmpMibObject ifAdminStatus.9 Integer 2; SnmpMibObject pktcNcsEndPntConfigCallAgentId.9 String "ca@ca.example.net"; }`, good: `Mta { ` + line + `SnmpMibObject ifAdminStatus.10 Integer 2; }`},
	{rule: "mta-basics", bad: `Mta { ` + line + `SnmpMibObject pktcNcsEndPntConfigStatus.10 Integer 4; }`, good: `Mta { ` + line + `}`},
}
