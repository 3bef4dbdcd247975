package library

import "dcs/render/attr"

// SplitDevice takes the slashes off the front of a name that is asked for, and a device's MAC
// address off its end: file@0a0102030405. What is left is what Find looks for.
func SplitDevice(name []byte) (file []byte, mac [6]byte, ok bool) {
	for len(name) > 0 && name[0] == '/' {
		name = name[1:]
	}
	for i := len(name) - 1; i > 0 && len(name)-i <= len("@0a:01:02:03:04:05"); i-- {
		if name[i] == '@' {
			if mac, ok = attr.ParseMAC(name[i+1:]); ok {
				return name[:i], mac, true
			}
			break
		}
	}
	return name, mac, false
}
