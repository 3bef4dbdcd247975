package ingress

import (
	"context"
	"log/slog"
	"maps"
	"slices"

	"dcs/cmd/internal/config"
	"dcs/fastpath/udp"
	"dcs/fastpath/xsk"
)

// A vrfWatch follows which interfaces belong to which VRF, and has the workers answer within it.
type vrfWatch struct {
	log     *slog.Logger
	cfg     *config.Config
	sockets []*udp.Transport
	rings   *xsk.Group        // nil: none
	zones   map[uint32]uint32 // of interfaces that XDP runs on, by their index: that of the interface with the addresses

	vrfs     map[uint32]uint32
	networks map[uint32]map[xsk.Tags]xsk.Network // by interface
	told     []string
}

// look takes over what is different now.
func (w *vrfWatch) look(h *host) {
	for index, zone := range w.zones {
		if now := h.networksOn(index, zone); !maps.Equal(now, w.networks[index]) {
			w.networks[index] = now
			w.rings.SetNetworks(int(index), now)
		}
	}
	if now := h.vrfs(); !maps.Equal(now, w.vrfs) {
		w.vrfs = now
		for _, t := range w.sockets {
			if err := t.SetVRFs(now); err != nil {
				w.log.Error("requests from VRFs get no answer", "err", err)
			}
		}
	}
	lines := h.deafVRFs(w.cfg, ipv4Sysctls)
	for _, line := range lines {
		if !slices.Contains(w.told, line) {
			w.log.Warn(line)
		}
	}
	w.told = lines
}

// WatchVRFs begins to follow the VRFs. Where the host cannot be looked at, there are none.
func (in *Ingress) WatchVRFs() {
	w := &vrfWatch{log: in.log, cfg: in.cfg, sockets: in.Sockets, rings: in.Rings, zones: map[uint32]uint32{}, networks: map[uint32]map[xsk.Tags]xsk.Network{}}
	if in.Rings != nil {
		in.Steering.Each(func(p Steered) { w.zones[uint32(p.Index)] = p.zone })
	}
	in.vrfs = w
	h, err := newHost()
	if err != nil {
		in.log.Debug("interfaces unknown", "err", err)
		return
	}
	w.look(h)
}

// FollowHost has the workers follow the host's addresses, and its interfaces' VRFs and MTUs, until the context ends. Where the kernel does not tell, what was known
// stays.
func (in *Ingress) FollowHost(ctx context.Context) {
	followLinks(ctx, in.log, func() {
		h, err := newHost()
		if err != nil {
			in.log.Debug("interfaces unknown", "err", err)
			return
		}
		in.Limits.follow(h)
		in.vrfs.look(h)
		in.followMTU(h)
	})
}
