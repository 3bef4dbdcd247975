package lint_test

import (
	"strings"

	"dcs/render/lint"
)

// objects are n SNMP objects, of some 110 octets each.
func objects(n int) string {
	return strings.Repeat(`SnmpMibObject .1.3.6.1.2.1.1.4.0 String "`+strings.Repeat("x", 90)+`"; `, n)
}

var sizeCases = []ruleCase{
	{rule: "size-tftp", bad: sound + objects(700), good: sound},
	{
		rule: "reg-req-size", bad: sound + strings.Repeat(`CpeMacAddress 00:00:00:00:00:01; VendorSpecific { VendorIdentifier 0x0000ca; GenericTLV TlvCode 1 TlvValue 0x`+strings.Repeat("00", 200)+`; } `, 7),
		good: sound + objects(20), options: lint.Options{Version: lint.V20},
	},
}
