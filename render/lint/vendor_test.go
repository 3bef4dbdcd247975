package lint_test

var vendorCases = []ruleCase{
	{rule: "vendor-first", bad: sound + `VendorSpecific { GenericTLV TlvCode 5 TlvValue 0x01; VendorIdentifier 0x00407b; }`, good: sound + `VendorSpecific { VendorIdentifier 0x00407b; GenericTLV TlvCode 5 TlvValue 0x01; }`},
	{rule: "vendor-first", bad: sound + `VendorSpecific { GenericTLV TlvCode 5 TlvValue 0x01; }`, good: sound},
	{
		rule: "ext-mic",
		bad:  `0x030101 2b10 0803ffffff 0603010101 010400000001`,
		good: sound + `VendorSpecific { VendorIdentifier 0xffffff; CMLoadBalancingGroupID 1; }`,
	},
}
