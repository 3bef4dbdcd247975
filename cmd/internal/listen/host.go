package listen

import (
	"net"
)

// Host returns an address's host, "" for all that there are.
func Host(address string) string {
	h, _, _ := net.SplitHostPort(address)
	return h
}
