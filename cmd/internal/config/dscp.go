package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// DSCP is the DSCP of answers.
type DSCP struct {
	Value  uint8 // 0 to 63
	Mirror bool  // use the request's instead
}

// codePoints are the names in IANA's registry, except class selectors and assured forwarding, which follow a rule.
var codePoints = map[string]uint8{
	"ef": 46, // RFC 3246
	"va": 44, // voice-admit, RFC 5865
	"le": 1,  // RFC 8622
	"df": 0,  // RFC 2474
	"be": 0,  // as tc(8) and iptables(8) call it
}

var errDSCP = errors.New("not a DSCP; use 0 to 63, cs0 to cs7, af11 to af43, ef, va, le, or mirror")

func parseDSCP(s string) (DSCP, error) {
	switch s = strings.ToLower(s); s {
	case "":
		return DSCP{}, nil
	case "mirror":
		return DSCP{Mirror: true}, nil
	}
	if v, ok := codePoint(s); ok {
		return DSCP{Value: v}, nil
	}
	return DSCP{}, fmt.Errorf("%s is %w", s, errDSCP)
}

// codePoint reads a number or the name of a code point.
func codePoint(s string) (uint8, bool) {
	if v, err := strconv.ParseUint(s, 10, 6); err == nil && (v == 0 || s[0] != '0') { // which could mean octal
		return uint8(v), true
	}
	if v, ok := codePoints[s]; ok {
		return v, true
	}
	digit := func(i int, least, most byte) bool { return s[i] >= least && s[i] <= most }
	switch {
	case len(s) == 3 && s[:2] == "cs" && digit(2, '0', '7'): // RFC 2474, section 4.2.2
		return (s[2] - '0') << 3, true
	case len(s) == 4 && s[:2] == "af" && digit(2, '1', '4') && digit(3, '1', '3'): // RFC 2597, section 6
		return (s[2]-'0')<<3 | (s[3]-'0')<<1, true
	}
	return 0, false
}
