package main

import (
	"context"

	"dcs/fastpath/xsk"
)

// watchVRFs begins to follow the VRFs. Where the host cannot be looked at, there are none.
func (s *server) watchVRFs(in *ingress) *vrfWatch {
	w := &vrfWatch{log: s.log, cfg: &s.cfg, sockets: in.sockets, rings: in.rings, zones: map[uint32]uint32{}, networks: map[uint32]map[xsk.Tags]xsk.Network{}}
	if in.rings != nil {
		in.steering.each(func(p steered) { w.zones[uint32(p.index)] = p.zone })
	}
	h, err := newHost()
	if err != nil {
		s.log.Debug("interfaces unknown", "err", err)
		return w
	}
	w.look(h)
	return w
}

// followHost has the workers follow the host's addresses, and its interfaces' VRFs and MTUs, until the context ends. Where the kernel does not tell, what was known
// stays.
func (s *server) followHost(ctx context.Context, vrfs *vrfWatch) {
	followLinks(ctx, s.log, func() {
		h, err := newHost()
		if err != nil {
			s.log.Debug("interfaces unknown", "err", err)
			return
		}
		s.limits.follow(h)
		vrfs.look(h)
		s.followMTU(h)
	})
}
