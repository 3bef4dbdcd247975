package netlab

import (
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"
)

// From linux/netdev.h, which golang.org/x/sys lacks.
const (
	netdevCmdNAPIGet = 11
	napiIfindex      = 1
	napiPID          = 4
)

// turn is how long a NAPI thread runs before the kernel (6.12 or later) considers who else wants its CPU, in ns; it is the shortest
// that there is. A thread with shorter turns than the running one preempts it when it wakes up, much as a network card's interrupt does.
// Otherwise a server or load that is busy keeps its CPU for some 3 ms, in which a veth's ring of 256 packets overflows at 85,000 a second.
const turn = 100_000

// threaded gives each queue of a device a kernel thread that receives for it, on one CPU alone. A veth polls like a
// network card only with GRO or an XDP program; GRO does not join the UDP packets of a socket that has not asked for it.
func threaded(h *Host, device string, cpu int) error {
	err := h.run(func() error {
		return errors.Join(
			queueing(device),
			ethtoolSet(device, unix.ETHTOOL_SGRO, 1),
			os.WriteFile("/sys/class/net/"+device+"/threaded", []byte("1"), 0o644))
	})
	if err != nil {
		return fmt.Errorf("threaded NAPI of %s: %w", device, err)
	}
	pids, err := h.Pollers(device)
	if err != nil {
		return err
	}
	if len(pids) == 0 {
		return fmt.Errorf("threaded NAPI of %s: no kernel thread", device)
	}
	// The threads have this process's priority, which its servers and loads inherit: with less they would starve, with more those would.
	above, err := unix.Getpriority(unix.PRIO_PROCESS, 0)
	if err != nil {
		return err
	}
	var set unix.CPUSet
	set.Set(cpu)
	for _, pid := range pids {
		if err := unix.SchedSetaffinity(pid, &set); err != nil {
			return fmt.Errorf("pin the NAPI thread of %s to CPU %d: %w", device, cpu, err)
		}
		attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_NORMAL, Nice: int32(20 - above), Runtime: turn}
		if err := unix.SchedSetAttr(pid, &attr, 0); err != nil {
			return fmt.Errorf("turns of the NAPI thread of %s: %w", device, err)
		}
	}
	return nil
}

// queueing gives a device a queue of packets to send, as a network card has: from Linux 6.16 on a veth makes senders wait while the ring
// of 256 packets at its other end is full. Without, and on earlier kernels, it drops what does not fit.
func queueing(device string) error {
	link, err := netlink.LinkByName(device)
	if err != nil {
		return err
	}
	return netlink.QdiscReplace(&netlink.GenericQdisc{
		QdiscAttrs: netlink.QdiscAttrs{LinkIndex: link.Attrs().Index, Handle: netlink.MakeHandle(1, 0), Parent: netlink.HANDLE_ROOT},
		QdiscType:  "pfifo",
	})
}

// Polled returns for how long the kernel threads that receive for a device have run; 0 unless Config.Threaded is set.
func (h *Host) Polled(device string) (time.Duration, error) {
	pids, err := h.Pollers(device)
	if err != nil {
		return 0, err
	}
	var sum time.Duration
	for _, pid := range pids {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid)) // ns that it ran, ns that it waited, …
		if err != nil {
			return 0, err
		}
		var ran time.Duration
		if _, err := fmt.Sscan(string(b), &ran); err != nil {
			return 0, fmt.Errorf("schedstat of NAPI thread %d: %w", pid, err)
		}
		sum += ran
	}
	return sum, nil
}

// Pollers returns the process IDs of the kernel threads that receive for a device; there are none unless
// Config.Threaded is set. It needs Linux 6.8 and the first PID namespace.
func (h *Host) Pollers(device string) (pids []int, err error) {
	err = h.run(func() error {
		link, err := netlink.LinkByName(device)
		if err != nil {
			return err
		}
		family, err := netlink.GenlFamilyGet("netdev")
		if err != nil {
			return err
		}
		req := nl.NewNetlinkRequest(int(family.ID), unix.NLM_F_DUMP)
		// Raw: a nl.Genlmsg is two octets long and sent as four, of which the last two must be zero here.
		index := nl.NewRtAttr(napiIfindex, nl.Uint32Attr(uint32(link.Attrs().Index)))
		req.AddRawData(append([]byte{netdevCmdNAPIGet, uint8(family.Version), 0, 0}, index.Serialize()...))
		msgs, err := req.Execute(unix.NETLINK_GENERIC, 0)
		if err != nil {
			return err
		}
		for _, m := range msgs {
			attrs, err := nl.ParseRouteAttr(m[nl.SizeofGenlmsg:])
			if err != nil {
				return err
			}
			for _, a := range attrs {
				if a.Attr.Type == napiPID {
					pids = append(pids, int(nl.NativeEndian().Uint32(a.Value)))
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("NAPI threads of %s: %w", device, err)
	}
	return pids, nil
}
