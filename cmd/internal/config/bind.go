package config

import "fmt"

// Bind says what to do with a request that names a device but comes from an address that is not that device's.
type Bind string

// The values of Bind.
const (
	BindOff    Bind = "off"    // not checked
	BindLog    Bind = "log"    // answered and logged
	BindRefuse Bind = "refuse" // refused and logged
)

func parseBind(s string) (Bind, error) {
	switch b := Bind(s); b {
	case BindOff, BindLog, BindRefuse:
		return b, nil
	}
	return "", fmt.Errorf("%s is not off, log or refuse", s)
}
