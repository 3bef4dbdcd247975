package ingress

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ports"
	"dcs/cmd/internal/privilege"
	"dcs/fastpath/packet"
	"dcs/fastpath/tftp"
	"dcs/fastpath/tid"
	"dcs/fastpath/udp"
)

// ReadTIDs is the number of ports that a worker answers from where it has to read each of them; gatheredTIDs where the kernel
// delivers what comes to all of them to one socket.
const (
	ReadTIDs     = 96
	gatheredTIDs = 384
)

// openSockets opens the sockets of the workers. few is as in [SocketsOf].
func openSockets(cfg *config.Config, workers int) (sockets []*udp.Transport, key tid.Key, few string, err error) {
	c, few := SocketsOf(cfg, workers)
	c.Key = tid.NewKey()
	sockets, err = udp.Open(c, workers)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		for _, a := range cfg.Listen {
			if owners := ports.By(ports.Owners("udp", a)); owners != "" {
				return nil, c.Key, few, fmt.Errorf("%w%s", err, owners)
			}
		}
	case errors.Is(err, unix.EACCES):
		return nil, c.Key, few, fmt.Errorf("%w%s", err, ports.LowPortAdvice)
	}
	return sockets, c.Key, few, err
}

// TrySockets opens the sockets of the workers and closes them again. few is as in [SocketsOf], warnings are those of
// [udp.Transport.Warnings].
func TrySockets(cfg *config.Config, workers int) (few string, warnings []string, err error) {
	sockets, _, few, err := openSockets(cfg, workers)
	if err != nil {
		return "", nil, err
	}
	warnings = sockets[0].Warnings()
	for _, t := range sockets {
		_ = t.Close()
	}
	return few, warnings, nil
}

// SocketsOf returns the configuration of so many workers' sockets. few warns that workers have few ports to answer from; it is
// empty if they have enough.
func SocketsOf(cfg *config.Config, workers int) (sockets udp.Config, few string) {
	may := func(capabilities ...string) bool {
		missing, err := privilege.Missing(capabilities...)
		return err == nil && len(missing) == 0
	}
	tids := ReadTIDs
	if may("CAP_BPF", "CAP_NET_ADMIN") && bpf.LookupSupported() {
		tids = gatheredTIDs
	}
	tids = min(tids, max(roomForTIDs()/workers, 2))
	if tids < ReadTIDs && cfg.TIDPorts.Count() == 0 && !cfg.SinglePort {
		few = fmt.Sprintf("a worker answers from %d ports: with fewer than %d, acknowledgements in another's name are easily guessed; raise the limit of open files (LimitNOFILE=, ulimit -n) or net.ipv4.ip_local_port_range", tids, ReadTIDs)
	}
	return udp.Config{
		Listen:     cfg.Listen,
		SinglePort: cfg.SinglePort,
		Marking:    marking(cfg),
		TIDs:       tids,
		TIDMin:     cfg.TIDPorts.First,
		TIDMax:     cfg.TIDPorts.Last,
		RcvBuf:     cfg.ReceiveBuffer,
		Raw:        may("CAP_NET_RAW"),
	}, few
}

// marking returns the DSCP of the workers' answers.
func marking(cfg *config.Config) packet.Marking {
	return packet.Marking{DSCP: cfg.DSCP.Value, Mirror: cfg.DSCP.Mirror}
}

// roomForTIDs returns how many ports of an address family all workers may take: at most a quarter of the descriptors that the
// process may have, as there are two families, and half of the system's ephemeral ports.
func roomForTIDs() int {
	room := 28232 / 2 // Linux's default range
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		var first, last int
		if _, err := fmt.Sscan(string(text), &first, &last); err == nil {
			room = (last - first + 1) / 2
		}
	}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err == nil {
		room = int(min(uint64(room), files.Cur/2/2))
	}
	return room
}

// gather has the kernel deliver what comes to the ports of running transfers to one socket of each worker. If the kernel
// cannot do that, each port is read by itself, and why says what is missing.
func (in *Ingress) gather() (why, err error) {
	cfg := bpf.LookupConfig{Key: in.key}
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			fds, at := t.Sockets(v6)
			switch {
			case len(fds) == 0:
				continue
			case len(fds) == 1:
				return errors.New("workers have one port each"), nil
			}
			w := bpf.LookupWorker{Ports: t.Ports(v6), Receive: fds[0], Discard: fds[1]}
			if v6 {
				cfg.V6, cfg.At6 = append(cfg.V6, w), at
			} else {
				cfg.V4, cfg.At4 = append(cfg.V4, w), at
			}
		}
	}
	if len(cfg.V4)+len(cfg.V6) == 0 {
		return nil, nil
	}
	if in.lookup, why = bpf.NewLookup(cfg); why != nil {
		return why, nil
	}
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			if len(t.Ports(v6)) == 0 {
				continue
			}
			if err := t.Gather(v6); err != nil {
				return nil, err
			}
		}
	}
	return nil, nil
}

// Strays returns how many packets to ports of running transfers the kernel has dropped, as they came to another client's port.
func (in *Ingress) Strays() uint64 {
	if in.lookup == nil {
		return 0
	}
	n, err := in.lookup.Strays()
	if err != nil {
		return 0 // the kernel does not map the program's variables
	}
	return n
}

// tidPorts returns the ports that transfers answer from.
func (in *Ingress) tidPorts() (ports []bpf.Port) {
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			for _, p := range t.Ports(v6) {
				ports = append(ports, bpf.Port{Number: p, V6: v6})
			}
		}
	}
	return ports
}

// MaxWindow returns the largest window that a client may have, blocks. An attacker who acknowledges blindly has to send an ACK,
// an IP packet of 32 octets, to each port of a worker to hit the right one. That sends a window to the victim, and the block
// behind it once more for each retry. The window keeps this below three octets sent for each of the attacker's.
func (in *Ingress) MaxWindow(cfg *config.Config) int {
	const (
		ack     = 32     // octets, with IPv4 and UDP headers
		headers = 20 + 8 // of a block
		factor  = 3
	)
	block := max(in.maxBlksize, tftp.DefaultBlksize) + tftp.DataHeader + headers
	most := cfg.MaxWindowsize
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			if n := len(t.Ports(v6)); n > 0 {
				most = min(most, max(n*ack*factor/block-cfg.Retries-1, 1))
			}
		}
	}
	return most
}
