package storm

import (
	"errors"
	"fmt"
)

// Via is how frames are sent.
type Via uint8

// From the best to a certain one.
const (
	ViaAuto   Via = iota // AF_XDP where possible, else AF_PACKET
	ViaXDP               // AF_XDP or an error
	ViaPacket            // AF_PACKET
)

var viaNames = [...]string{ViaAuto: "auto", ViaXDP: "xdp", ViaPacket: "packet"}

// MarshalText implements [encoding.TextMarshaler].
func (v Via) MarshalText() ([]byte, error) { return []byte(viaNames[v]), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (v *Via) UnmarshalText(b []byte) error {
	for i, name := range viaNames {
		if name == string(b) {
			*v = Via(i)
			return nil
		}
	}
	return fmt.Errorf("%s: must be auto, xdp or packet", b)
}

// openLink opens the link that the configuration asks for, and says which one that is and why.
func openLink(cfg *Config) (l link, how string, err error) {
	if cfg.Interface == "" {
		l, err = openSockets(cfg)
		return l, "sockets", err
	}
	how = "AF_PACKET"
	if cfg.Via != ViaPacket {
		x, err := openXDP(cfg)
		if err == nil {
			if x.frames, err = openFrames(cfg, neighbourFrames); err != nil {
				return nil, "", errors.Join(err, x.closeRings())
			}
			x.mixed = true
			return x, "AF_XDP", nil
		}
		if errors.Is(err, errSecond) {
			return nil, "", fmt.Errorf("%s: %w; end it, or use --via packet with another --net", cfg.Interface, err)
		}
		if cfg.Via == ViaXDP {
			return nil, "", fmt.Errorf("AF_XDP on %s: %w; --via packet needs no XDP", cfg.Interface, err)
		}
		how = fmt.Sprintf("AF_PACKET (AF_XDP: %v)", err)
	}
	l, err = openFrames(cfg, cfg.depth(packetFrames))
	return l, how, err
}
