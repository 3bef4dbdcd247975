package server

import (
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/privilege"
)

// dropPrivileges gives up the capabilities that opening took. What stays is the access to files that the server had, as
// SIGHUP reads them anew, CAP_NET_ADMIN where the XDP program may have to be attached again and the interface's settings
// put back, CAP_NET_BIND_SERVICE while an address is still to be opened, and what starts and ends plug-ins of other users.
func (p *process) dropPrivileges(in *ingress.Ingress, addresses *addresses) {
	keep := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"}
	if in.Steering() != nil {
		keep = append(keep, "CAP_NET_ADMIN")
	}
	if addresses.pending() {
		keep = append(keep, "CAP_NET_BIND_SERVICE")
	}
	if assemble.OtherUsers(p.cfg.Devices.Sources) {
		keep = append(keep, assemble.Switching...)
	}
	dropped, err := privilege.Keep(keep...)
	if err != nil {
		p.log.Warn("capabilities were not given up", "err", err)
	} else if len(dropped) > 0 {
		p.log.Debug("capabilities given up", "dropped", dropped)
	}
}
