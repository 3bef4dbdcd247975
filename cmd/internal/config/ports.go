package config

import (
	"fmt"
	"strconv"
	"strings"
)

// PortRange is an inclusive range of UDP ports; the zero value is no range.
type PortRange struct{ First, Last uint16 }

func parsePorts(s string) (PortRange, error) {
	if s == "" {
		return PortRange{}, nil
	}
	first, last, ranged := strings.Cut(s, "-")
	if !ranged {
		last = first
	}
	lo, err1 := strconv.ParseUint(first, 10, 16)
	hi, err2 := strconv.ParseUint(last, 10, 16)
	if err1 != nil || err2 != nil || lo == 0 || lo > hi {
		return PortRange{}, fmt.Errorf("%s is not a range of ports such as 30000-30999", s)
	}
	return PortRange{uint16(lo), uint16(hi)}, nil
}

// Count returns the number of ports in the range.
func (r PortRange) Count() int {
	if r.First == 0 {
		return 0
	}
	return int(r.Last) - int(r.First) + 1
}

func (r PortRange) String() string {
	switch r.Count() {
	case 0:
		return ""
	case 1:
		return strconv.Itoa(int(r.First))
	}
	return fmt.Sprintf("%d-%d", r.First, r.Last)
}
