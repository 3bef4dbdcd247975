package httpboot

import (
	"strconv"
	"strings"
)

const (
	// maxRanges limits the ranges of one request, as each costs a header of its own.
	maxRanges = 16
	maxDigits = 18 // fit into an int64
)

// ranges returns a Range header for [net/http.ServeContent] and a file of that size. It returns "" for a header with another
// unit, a malformed one, and one with more than maxRanges: RFC 9110, section 14.2, requires ignoring those, but net/http answers 416.
func ranges(header string, size int) string {
	unit, list, ok := strings.Cut(header, "=")
	specs := strings.Split(list, ",")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || len(specs) > maxRanges {
		return ""
	}
	var valid []string
	for _, spec := range specs {
		spec = strings.TrimSpace(spec)
		if spec == "" { // RFC 9110, section 5.6.1.2: lists may have empty elements
			continue
		}
		first, last, ok := strings.Cut(spec, "-")
		if !ok || first+last == "" || strings.Trim(first+last, "0123456789") != "" {
			return ""
		}
		first, last = clampDigits(first), clampDigits(last)
		if first != "" && last != "" && value(first) > value(last) {
			return ""
		}
		if first == "" && value(last) == 0 {
			continue // no octets, but net/http would send some
		}
		valid = append(valid, first+"-"+last)
	}
	if len(valid) == 0 {
		return "bytes=" + strconv.Itoa(size) + "-" // unsatisfiable
	}
	return "bytes=" + strings.Join(valid, ",")
}

// clampDigits returns a number of at most maxDigits digits, or the largest one.
func clampDigits(s string) string {
	if len(strings.TrimLeft(s, "0")) > maxDigits {
		return strings.Repeat("9", maxDigits)
	}
	return s
}

func value(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // clampDigits has checked it
	return n
}
