package main

import (
	"net"
)

// hostOf returns an address's host, "" for all that there are.
func hostOf(address string) string {
	h, _, _ := net.SplitHostPort(address)
	return h
}
