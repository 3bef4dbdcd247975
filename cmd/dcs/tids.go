package main

import (
	"errors"

	"dcs/bpf"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/privilege"
	"dcs/fastpath/tid"
	"dcs/fastpath/udp"
)

const (
	// gatheredTIDs are the ports of a worker where the kernel gathers what comes to them; readTIDs where each has to be read.
	gatheredTIDs = 256
	readTIDs     = 96
	// allTIDs are those of all workers: each is a socket, and the system picks them from fewer than 30,000 (ip_local_port_range).
	allTIDs = 16384
)

// openSockets opens the sockets of the workers.
func (in *ingress) openSockets(cfg *config.Config, workers int) (err error) {
	in.key = tid.NewKey()
	may := func(capabilities ...string) bool {
		missing, err := privilege.Missing(capabilities...)
		return err == nil && len(missing) == 0
	}
	tids := readTIDs
	if may("CAP_BPF", "CAP_NET_ADMIN") && bpf.LookupSupported() {
		tids = gatheredTIDs
	}
	tids = min(tids, max(allTIDs/workers, 2))
	in.sockets, err = udp.Open(udp.Config{
		Listen:     cfg.Listen,
		SinglePort: cfg.SinglePort,
		Key:        in.key,
		TIDs:       tids,
		TIDMin:     cfg.TIDPorts.First,
		TIDMax:     cfg.TIDPorts.Last,
		RcvBuf:     cfg.ReceiveBuffer,
		Raw:        may("CAP_NET_RAW"),
	}, workers)
	return err
}

// gather has what comes to the ports of running transfers arrive at one socket of each worker. Where the kernel does not do
// that, each port goes on being read, and why is the first error.
func (in *ingress) gather() (why, err error) {
	cfg := bpf.LookupConfig{Key: in.key}
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			fds, at := t.Sockets(v6)
			switch {
			case len(fds) == 0:
				continue
			case len(fds) == 1:
				return errors.New("a worker has one port alone"), nil
			}
			w := bpf.LookupWorker{Ports: t.Ports(v6), Hears: fds[0], Deaf: fds[1]}
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

// strays returns how many packets to ports of running transfers the kernel has kept from the workers, as they came to the port
// of another client.
func (in *ingress) strays() uint64 {
	if in.lookup == nil {
		return 0
	}
	n, err := in.lookup.Strays()
	if err != nil {
		return 0 // a kernel that does not map the program's variables
	}
	return n
}

// ports returns the ports that transfers answer from.
func (in *ingress) ports() (ports []bpf.Port) {
	for _, t := range in.sockets {
		for _, v6 := range [...]bool{false, true} {
			for _, p := range t.Ports(v6) {
				ports = append(ports, bpf.Port{Number: p, V6: v6})
			}
		}
	}
	return ports
}

// maxWindow returns the largest window that a client may have, blocks. Whoever acknowledges blindly has to send an ACK to each port
// of a worker to hit the one that counts, an IP packet of 32 octets each. He then has a window sent to somebody else, and the
// block behind it again for each retry. It must be no more than three octets for each of his.
func (in *ingress) maxWindow(cfg *config.Config) int {
	const (
		ack, block = 32, 1500 // octets, with the headers of IPv4
		factor     = 3
	)
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
