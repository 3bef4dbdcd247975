package config

import (
	"fmt"
	"strings"
)

// Transport is how packets are received.
type Transport string

// The transports.
const (
	Auto   Transport = "auto"   // the best that the machine supports
	XDP    Transport = "xdp"    // AF_XDP, past the kernel's network stack; an error if that is impossible
	Socket Transport = "socket" // UDP sockets, one per worker
)

func parseTransport(s string) (Transport, error) {
	switch t := Transport(s); t {
	case Auto, XDP, Socket:
		return t, nil
	}
	return "", fmt.Errorf("%s is not a transport; use auto, xdp or socket", s)
}

// parseInterface accepts the names that Linux does (dev_valid_name).
func parseInterface(s string) (string, error) {
	if s == "" || len(s) > 15 || s == "." || s == ".." || strings.ContainsAny(s, "/: \t\n\v\f\r") {
		return "", fmt.Errorf("%q is not the name of a network interface", s)
	}
	return s, nil
}
