package listen

import (
	"net"
)

// Host returns the host of host:port, "" for all addresses.
func Host(address string) string {
	h, _, _ := net.SplitHostPort(address)
	return h
}
