package httpboot

import (
	"strconv"
	"strings"
)

const (
	// maxRanges bounds what one request may ask for: each range costs a header of its own.
	maxRanges = 16
	maxDigits = 18 // that fit into an int64; no file is longer
)

// ranges returns a Range header for a file of that size as [net/http.ServeContent] reads it. RFC 9110, section 14.2, has a server pass
// over a header with another unit, or one that is not well-formed, where net/http answers 416: that is "". So is one with more than
// maxRanges.
func ranges(header string, size int) string {
	unit, list, ok := strings.Cut(header, "=")
	specs := strings.Split(list, ",")
	if !ok || !strings.EqualFold(strings.TrimSpace(unit), "bytes") || len(specs) > maxRanges {
		return ""
	}
	var kept []string
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
			continue // the last 0 octets: there are none, and net/http would send them
		}
		kept = append(kept, first+"-"+last)
	}
	if len(kept) == 0 {
		return "bytes=" + strconv.Itoa(size) + "-" // none can be had
	}
	return "bytes=" + strings.Join(kept, ",")
}

// clampDigits returns a number that is no longer than a file can be.
func clampDigits(s string) string {
	if len(strings.TrimLeft(s, "0")) > maxDigits {
		return strings.Repeat("9", maxDigits)
	}
	return s
}

func value(digits string) int64 {
	n, _ := strconv.ParseInt(digits, 10, 64) // it is one that clampDigits has let through
	return n
}
