package check

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"dcs/bpf"
	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/listen"
	"dcs/cmd/internal/ports"
	"dcs/fastpath/udp"
)

// hostCheck tries what a server's start asks of this host, and gives it back.
type hostCheck struct {
	*checker
	running []int // processes of servers with this configuration, whose ports are as good as free
	taken   []taken
	ours    bool // one of these has an address of listen
	other   bool // a server with another configuration has an address
}

// taken is an address that the check has opened.
type taken struct {
	key, network string
	addr         netip.AddrPort
	close        func()
}

// checkHost tells of interfaces, addresses and ports that the server could not start with.
func (c *checker) checkHost() {
	h := &hostCheck{checker: c, running: ports.Running(c.sameServer)}
	defer h.release()
	if c.runner.absent {
		c.warn(fmt.Sprintf("the server runs as the user %s: what that user may do is not checked; run check as root", c.runner.name))
	}
	c.warn(ingress.AbsentAddresses(c.cfg)...)
	c.warn(ingress.VrfWarnings(c.cfg)...)
	workers := assemble.WorkersOf(c.cfg)
	c.asRunner(func() { workers = max(h.transport(workers), 1) })
	sound := true
	for _, a := range c.cfg.Listen {
		sound = h.listen(a) && sound
	}
	h.web("http", c.cfg.HTTP)
	h.web("metrics", c.cfg.Metrics)
	for _, a := range c.cfg.Admin {
		if path, ok := strings.CutPrefix(a, "unix:"); ok {
			h.socket(path)
		} else {
			h.web("admin", a)
		}
	}
	h.sockets(workers, sound && !h.ours)
	if h.other {
		h.warn("a dcs with another configuration runs on this host: to check one that is to replace it, say --no-host")
	}
}

func (h *hostCheck) release() {
	for _, t := range h.taken {
		t.close()
	}
	h.taken = nil
}

// sameServer reports whether a process is a server with the configuration that is checked.
func (c *checker) sameServer(pid int, args []string) bool {
	at := slices.Index(args, "serve")
	if at < 1 {
		return false
	}
	if c.File != "" {
		theirs := configOf(args[at:])
		if theirs == "" {
			return false
		}
		if !filepath.IsAbs(theirs) {
			dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
			if err != nil {
				return false // another user's
			}
			theirs = filepath.Join(dir, theirs)
		}
		return sameFile(c.File, theirs) || sameFile(c.File, fmt.Sprintf("/proc/%d/root%s", pid, theirs))
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := config.AddFlags(fs)
	if fs.Parse(args[at+1:]) != nil {
		return false // it has a file
	}
	cfg, err := flags.Config("")
	return err == nil && len(c.cfg.Differences(&cfg)) == 0
}

// configOf returns the configuration's file among a command's arguments; empty: there is none.
func configOf(args []string) (file string) {
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	fs.SetOutput(io.Discard)
	fs.StringVarP(&file, "config", "c", "", "")
	_ = fs.Parse(args)
	return file
}

// transport decides as the start does, and returns how many workers there would be.
func (h *hostCheck) transport(workers int) int {
	f := ingress.LookAround(h.cfg, h.cfg.Listen, workers)
	for i := range f.Ports {
		var busy *bpf.BusyError
		if port := &f.Ports[i]; errors.As(port.Xdp.Err, &busy) && slices.ContainsFunc(h.running, func(pid int) bool { return ports.HasProgram(pid, busy.Program) }) {
			port.Xdp = bpf.Choice{Mode: bpf.Native, Why: "held by the running server"}
		}
	}
	p, err := ingress.Decide(h.cfg.Transport, f)
	switch {
	case err != nil && h.runner.absent:
		h.warn(err.Error())
	case err != nil:
		h.fail(err)
	case f.Err != nil && len(h.cfg.Interfaces) > 0:
		h.fail(fmt.Errorf("interface: %w", f.Err)) // auto takes sockets, which nobody meant who has named one
	}
	for _, port := range f.Ports {
		var busy *bpf.BusyError
		if err == nil && errors.As(port.Xdp.Err, &busy) {
			h.warn(fmt.Sprintf("sockets will take what XDP could: %v", port.Xdp.Err))
		}
	}
	if len(p.Ports) == 0 {
		return workers
	}
	steer, err := bpf.Load(bpf.Config{Listen: h.cfg.Listen, Interfaces: len(p.Ports), Sources: 1})
	if err == nil {
		err = steer.Close()
	}
	switch {
	case err != nil && h.cfg.Transport == config.XDP:
		h.fail(fmt.Errorf("transport xdp: %w", err))
	case err != nil:
		h.warn(fmt.Sprintf("sockets will take what XDP could: %v", err))
		return workers
	}
	if queues, err := p.Queues(); err == nil && queues > 0 {
		return queues
	}
	return workers
}

// listen tries an address of TFTP, and reports whether all is well.
func (h *hostCheck) listen(a netip.AddrPort) bool {
	return h.take("listen", "udp", a, a.String(), func() (func(), error) {
		r, err := udp.Reserve(a)
		if errors.Is(err, unix.EAFNOSUPPORT) && len(h.cfg.Listen) > 1 && a.Addr() == netip.IPv6Unspecified() {
			return func() {}, nil // sockets tells of it
		}
		if err != nil {
			return nil, err
		}
		return r.Close, nil
	})
}

// web tries an address of HTTP.
func (h *hostCheck) web(key, address string) {
	if address == "" {
		return
	}
	var at netip.AddrPort
	if a, err := net.ResolveTCPAddr("tcp", address); err == nil {
		if at = a.AddrPort(); !at.Addr().IsValid() {
			at = netip.AddrPortFrom(netip.IPv6Unspecified(), at.Port())
		}
	}
	h.take(key, "tcp", at, address, func() (func(), error) {
		ln, err := listen.TCP(address)
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return func() {}, nil // it is waited for
		}
		if err != nil {
			return nil, err
		}
		return func() { ln.Close() }, nil
	})
}

const (
	takeTries = 10
	takeWait  = 100 * time.Millisecond // another check has an address for less
)

// take opens an address until the end of the check. One that a running server of this configuration has is as good as opened.
func (h *hostCheck) take(key, network string, at netip.AddrPort, name string, open func() (func(), error)) bool {
	var err error
	for try := range takeTries {
		if try > 0 {
			time.Sleep(takeWait)
		}
		var undo func()
		if undo, err = open(); err == nil {
			h.taken = append(h.taken, taken{key, network, at, undo})
			return true
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			break
		}
		if other := h.twice(network, at); other != "" {
			h.fail(fmt.Errorf("%s: %s: in use by the key %s of this configuration", key, name, other))
			return false
		}
		owners := ports.Owners(network, at)
		if slices.ContainsFunc(owners, h.runs) {
			h.ours = h.ours || network == "udp"
			return true
		}
		if try == takeTries-1 {
			h.other = h.other || slices.ContainsFunc(owners, ports.Owner.IsServer)
			h.fail(fmt.Errorf("%s: %s: in use%s", key, name, ports.By(owners)))
			return false
		}
	}
	if h.runner.absent && errors.Is(err, syscall.EACCES) {
		h.warn(fmt.Sprintf("%s: %s: not checked: %v", key, name, err))
		return true
	}
	if errors.Is(err, syscall.EACCES) {
		err = fmt.Errorf("%w%s", err, ports.LowPortAdvice)
	}
	h.fail(fmt.Errorf("%s: %w", key, err))
	return false
}

// twice returns the key of this configuration that has opened an address already.
func (h *hostCheck) twice(network string, at netip.AddrPort) string {
	for _, t := range h.taken {
		// TCP's [::] is for both families, UDP's for IPv6 alone.
		one, other := t.addr.Addr(), at.Addr()
		shared := one == other || (one.IsUnspecified() || other.IsUnspecified()) &&
			(one.Is4() == other.Is4() || network == "tcp" && (one == netip.IPv6Unspecified() || other == netip.IPv6Unspecified()))
		if t.network == network && t.addr.Port() == at.Port() && shared {
			return t.key
		}
	}
	return ""
}

// runs reports whether a socket is that of a running server of this configuration. Other users' processes show their user alone.
func (h *hostCheck) runs(o ports.Owner) bool {
	if len(o.Processes) > 0 {
		return slices.ContainsFunc(o.Processes, func(p ports.Process) bool { return slices.Contains(h.running, p.PID) })
	}
	return slices.ContainsFunc(h.running, func(pid int) bool {
		var st unix.Stat_t
		return unix.Stat(fmt.Sprintf("/proc/%d", pid), &st) == nil && int(st.Uid) == o.UID
	})
}

// socket tells of the path of a Unix socket that another server answers at, or that the server's user could not make.
func (h *hostCheck) socket(path string) {
	if admin.Answering(path) {
		if owner := ports.UnixOwner(path); !h.runs(owner) {
			h.fail(fmt.Errorf("admin: unix:%s: in use by %v", path, owner))
		}
		return
	}
	if h.cfg.User != "" {
		return // the directory is given to the user
	}
	dir := filepath.Dir(path)
	h.asRunner(func() {
		if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); errors.Is(err, syscall.EACCES) && !h.runner.absent {
			h.fail(fmt.Errorf("admin: %w", &os.PathError{Op: "write to", Path: dir, Err: err}))
		}
	})
}

// sockets opens what the workers have, ports of transfers among it. Where the addresses of listen are not free it looks only whether the
// ports are enough.
func (h *hostCheck) sockets(workers int, free bool) {
	if !free || h.runner.absent {
		sockets, _ := ingress.SocketsOf(h.cfg, workers)
		if err := sockets.Check(workers); err != nil {
			h.fail(err)
		}
		return
	}
	h.release()
	in := &ingress.Ingress{}
	err := in.OpenSockets(h.cfg, workers)
	for try := 1; errors.Is(err, unix.EADDRINUSE) && try < takeTries; try++ {
		time.Sleep(takeWait)
		err = in.OpenSockets(h.cfg, workers)
	}
	if err != nil {
		h.fail(err)
		return
	}
	if in.Few != "" && h.runner.cred == nil {
		h.warn(in.Few)
	}
	h.warn(in.Sockets[0].Warnings()...)
	for _, t := range in.Sockets {
		_ = t.Close()
	}
}
