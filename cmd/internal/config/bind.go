package config

import "fmt"

// Bind is what becomes of a request that names a device and comes from where that device is not.
type Bind string

// What can become of it.
const (
	BindOff    Bind = "off"    // nobody looks
	BindLog    Bind = "log"    // it is answered and logged
	BindRefuse Bind = "refuse" // it is refused and logged
)

func parseBind(s string) (Bind, error) {
	switch b := Bind(s); b {
	case BindOff, BindLog, BindRefuse:
		return b, nil
	}
	return "", fmt.Errorf("%s is not off, log or refuse", s)
}
