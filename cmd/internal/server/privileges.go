package server

import (
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/privilege"
)

// dropPrivileges drops the capabilities that only opening needs. The server retains its access to files, as SIGHUP reads them
// again; CAP_NET_ADMIN with XDP, to re-attach programs and restore the interface's settings; CAP_NET_BIND_SERVICE while an
// address is still to be opened; and what starting and ending plug-ins of other users takes.
func (p *process) dropPrivileges(in *ingress.Ingress, addresses *addresses) {
	retain := []string{"CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER"}
	if in.Steering() != nil {
		retain = append(retain, "CAP_NET_ADMIN")
	}
	if addresses.pending() {
		retain = append(retain, "CAP_NET_BIND_SERVICE")
	}
	if assemble.OtherUsers(p.cfg.Devices.Sources) {
		retain = append(retain, assemble.Switching...)
	}
	dropped, err := privilege.Retain(retain...)
	if err != nil {
		p.log.Warn("capabilities not dropped", "err", err)
	} else if len(dropped) > 0 {
		p.log.Debug("capabilities dropped", "dropped", dropped)
	}
}
