package bpf

import (
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// capability is a Linux capability, with the name by which an operator grants it (capabilities(7)).
type capability struct {
	name string
	bit  uint
}

var (
	capBPF      = capability{"CAP_BPF", unix.CAP_BPF}
	capPerfmon  = capability{"CAP_PERFMON", unix.CAP_PERFMON}
	capNetAdmin = capability{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN}
)

// needed is the capabilities for loading the XDP program and attaching it. CAP_PERFMON is for reading a packet at
// offsets found in it: without it the verifier rejects such pointers, which could read memory by speculation.
var needed = []capability{capBPF, capPerfmon, capNetAdmin}

// A CapabilityError lists the capabilities that the process lacks.
type CapabilityError struct {
	Missing []string // as in "CAP_BPF"
}

func (e *CapabilityError) Error() string {
	return fmt.Sprintf("missing %s: run as root, or grant it (AmbientCapabilities= of systemd, or setcap)", strings.Join(e.Missing, ", "))
}

// need returns a *CapabilityError if the calling thread lacks any of them.
func need(caps ...capability) error {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return os.NewSyscallError("capget", err)
	}
	has := func(bit uint) bool { return data[bit/32].Effective&(1<<(bit%32)) != 0 }
	var missing []string
	for _, c := range caps {
		// CAP_SYS_ADMIN implies the two that were split off from it.
		if !has(c.bit) && (c == capNetAdmin || !has(unix.CAP_SYS_ADMIN)) {
			missing = append(missing, c.name)
		}
	}
	if len(missing) > 0 {
		return &CapabilityError{missing}
	}
	return nil
}
