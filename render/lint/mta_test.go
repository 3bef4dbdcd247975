package lint_test

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
)

// hashed returns an MTA's file with pktcMtaDevProvConfigHash (1.3.6.1.4.1.4491.2.2.1.1.2.7.0): the SHA-1 over all else.
func hashed(wrong bool) string {
	const enabled = "0b15" + "3013" + "060e" + "2b06010401a30b0202010101" + "0700" + "020101"
	rest, err := hex.DecodeString("fe0101" + enabled + "fe01ff")
	if err != nil {
		panic(err)
	}
	sum := sha1.Sum(rest)
	hash := hex.EncodeToString(sum[:])
	if wrong {
		hash = strings.Repeat("00", 20)
	}
	return "0xfe0101" + enabled + "0b28" + "3026" + "060e" + "2b06010401a30b0202010102" + "0700" + "0414" + hash + "fe01ff"
}

var mtaCases = []ruleCase{
	{rule: "mta-hash", bad: hashed(true), good: hashed(false)},
	{rule: "erouter-mode", bad: sound + `eRouter { InitializationMode 5; }`, good: sound + `eRouter { InitializationMode 3; RATransmissionInterval 60; }`},
	{rule: "erouter-mode", bad: sound + `eRouter { InitializationMode 1; RATransmissionInterval 60; }`, good: sound + `eRouter { InitializationMode 2; RATransmissionInterval 60; }`, severity: 1},
	{rule: "erouter-mode", bad: sound + `eRouter { InitializationMode 0; LinkIDControl 1; }`, good: sound + `eRouter { InitializationMode 0; }`, severity: 1},
}
