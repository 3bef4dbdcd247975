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

// A vrfWatch follows which interfaces belong to which VRF, so that workers answer within it.
type vrfWatch struct {
	log     *slog.Logger
	cfg     *config.Config
	sockets []*udp.Transport
	rings   *xsk.Group        // nil: none
	zones   map[uint32]uint32 // index of an interface with XDP to index of the interface with the addresses

	vrfs     map[uint32]uint32
	networks map[uint32]map[xsk.Tags]xsk.Network // by interface
	reported []string                            // warnings already logged
}

// update applies what has changed.
func (w *vrfWatch) update(h *host) {
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
				w.log.Error("requests from VRFs unanswered", "err", err)
			}
		}
	}
	lines := h.deafVRFs(w.cfg, ipv4Sysctls)
	for _, line := range lines {
		if !slices.Contains(w.reported, line) {
			w.log.Warn(line)
		}
	}
	w.reported = lines
}

// WatchVRFs begins to follow VRFs. If the host's interfaces cannot be listed, it assumes none.
func (in *Ingress) WatchVRFs() {
	w := &vrfWatch{log: in.log, cfg: in.cfg, sockets: in.sockets, rings: in.rings, zones: map[uint32]uint32{}, networks: map[uint32]map[xsk.Tags]xsk.Network{}}
	if in.rings != nil {
		for _, p := range in.steering.ports { // before Run changes them
			w.zones[uint32(p.index)] = p.zone
		}
	}
	in.vrfs = w
	h, err := newHost()
	if err != nil {
		in.log.Debug("interfaces unknown", "err", err)
		return
	}
	w.update(h)
}

// FollowHost keeps the workers' view of the host's addresses, VRFs and MTUs up to date until ctx ends. While the kernel does not
// answer, the last known state stays.
func (in *Ingress) FollowHost(ctx context.Context) {
	followLinks(ctx, in.log, func() {
		h, err := newHost()
		if err != nil {
			in.log.Debug("interfaces unknown", "err", err)
			return
		}
		in.limits.follow(h)
		in.vrfs.update(h)
		in.followMTU(h)
	})
}
