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

const (
	// gatheredTIDs are the ports of a worker where the kernel gathers what comes to them; readTIDs where each has to be read.
	gatheredTIDs = 256
	ReadTIDs     = 96
)

// OpenSockets opens the sockets of the workers.
func (in *Ingress) OpenSockets(cfg *config.Config, workers int) (err error) {
	in.key = tid.NewKey()
	var sockets udp.Config
	sockets, in.Few = SocketsOf(cfg, workers)
	sockets.Key = in.key
	in.Sockets, err = udp.Open(sockets, workers)
	switch {
	case errors.Is(err, unix.EADDRINUSE):
		for _, a := range cfg.Listen {
			if owners := ports.By(ports.Owners("udp", a)); owners != "" {
				return fmt.Errorf("%w%s", err, owners)
			}
		}
	case errors.Is(err, unix.EACCES):
		return fmt.Errorf("%w%s", err, ports.LowPortAdvice)
	}
	return err
}

// SocketsOf returns what sockets so many workers are to have, and why there are few ports to answer from; empty: there are enough.
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
		few = fmt.Sprintf("a worker answers from %d ports: with fewer than %d, acknowledgements in another's name are soon guessed; raise the limit of open files (LimitNOFILE=, ulimit -n) or net.ipv4.ip_local_port_range", tids, ReadTIDs)
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

// marking returns which DSCP the workers' answers carry.
func marking(cfg *config.Config) packet.Marking {
	return packet.Marking{DSCP: cfg.DSCP.Value, Mirror: cfg.DSCP.Mirror}
}

// roomForTIDs returns how many ports all workers may take of an address family: half of the descriptors that the process may
// have, for two families, and half of the ports that the system picks from.
func roomForTIDs() int {
	room := 28232 / 2 // of Linux's default range
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

// gather has what comes to the ports of running transfers arrive at one socket of each worker. Where the kernel does not do
// that, each port goes on being read, and why is the first error.
func (in *Ingress) gather() (why, err error) {
	cfg := bpf.LookupConfig{Key: in.key}
	for _, t := range in.Sockets {
		for _, v6 := range [...]bool{false, true} {
			fds, at := t.Sockets(v6)
			switch {
			case len(fds) == 0:
				continue
			case len(fds) == 1:
				return errors.New("a worker has one port alone"), nil
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
	if in.Lookup, why = bpf.NewLookup(cfg); why != nil {
		return why, nil
	}
	for _, t := range in.Sockets {
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

// Strays returns how many packets to ports of running transfers the kernel has kept from the workers, as they came to the port
// of another client.
func (in *Ingress) Strays() uint64 {
	if in.Lookup == nil {
		return 0
	}
	n, err := in.Lookup.Strays()
	if err != nil {
		return 0 // a kernel that does not map the program's variables
	}
	return n
}

// ports returns the ports that transfers answer from.
func (in *Ingress) ports() (ports []bpf.Port) {
	for _, t := range in.Sockets {
		for _, v6 := range [...]bool{false, true} {
			for _, p := range t.Ports(v6) {
				ports = append(ports, bpf.Port{Number: p, V6: v6})
			}
		}
	}
	return ports
}

// MaxWindow returns the largest window that a client may have, blocks. Whoever acknowledges blindly has to send an ACK to each port
// of a worker to hit the one that counts, an IP packet of 32 octets each. He then has a window sent to somebody else, and the
// block behind it again for each retry. It must be no more than three octets for each of his.
func (in *Ingress) MaxWindow(cfg *config.Config) int {
	const (
		ack    = 32     // octets, with the headers of IPv4
		around = 20 + 8 // of a block
		factor = 3
	)
	block := max(in.MaxBlksize, tftp.DefaultBlksize) + tftp.DataHeader + around
	most := cfg.MaxWindowsize
	for _, t := range in.Sockets {
		for _, v6 := range [...]bool{false, true} {
			if n := len(t.Ports(v6)); n > 0 {
				most = min(most, max(n*ack*factor/block-cfg.Retries-1, 1))
			}
		}
	}
	return most
}
