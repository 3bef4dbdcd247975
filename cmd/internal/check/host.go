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

// hostCheck opens what the server opens at its start, and closes it again.
type hostCheck struct {
	*checker
	running []int // processes of servers with this configuration, whose ports count as free
	opened  []opened
	ours    bool // one of these has an address of listen
	other   bool // a server with another configuration has an address
}

// opened is an address that the check has opened.
type opened struct {
	key, network string
	addr         netip.AddrPort
	close        func()
}

// checkHost reports interfaces, addresses and ports with which the server could not start.
func (c *checker) checkHost() {
	h := &hostCheck{checker: c, running: ports.Running(c.sameServer)}
	defer h.release()
	if c.runner.absent {
		c.warn(fmt.Sprintf("the server runs as user %s, whose permissions are not checked; run check as root", c.runner.name))
	}
	c.warn(ingress.AbsentAddresses(c.cfg)...)
	c.warn(ingress.VRFWarnings(c.cfg)...)
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
	for _, t := range h.opened {
		t.close()
	}
	h.opened = nil
}

// sameServer reports whether a process is a server with the checked configuration.
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

// configOf returns the configuration file among a command's arguments; empty: none.
func configOf(args []string) (file string) {
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	fs.ParseErrorsAllowlist.UnknownFlags = true
	fs.SetOutput(io.Discard)
	fs.StringVarP(&file, "config", "c", "", "")
	_ = fs.Parse(args)
	return file
}

// transport chooses a transport as the server does at its start, and returns the number of workers.
func (h *hostCheck) transport(workers int) int {
	f := ingress.Inspect(h.cfg, h.cfg.Listen, workers)
	f.Release(func(program uint32) bool {
		return slices.ContainsFunc(h.running, func(pid int) bool { return ports.HasProgram(pid, program) })
	})
	p, err := ingress.Decide(h.cfg.Transport, f)
	switch {
	case err != nil && h.runner.absent:
		h.warn(err.Error())
	case err != nil:
		h.fail(err)
	case f.Err() != nil && len(h.cfg.Interfaces) > 0:
		h.fail(fmt.Errorf("interface: %w", f.Err())) // auto falls back to sockets, which is unlikely to be meant if an interface is named
	}
	if err == nil {
		for _, busy := range f.Busy() {
			h.warn(fmt.Sprintf("sockets will be used instead of XDP: %v", busy))
		}
	}
	if p.Interfaces() == 0 {
		return workers
	}
	steer, err := bpf.Load(bpf.Config{Listen: h.cfg.Listen, Interfaces: p.Interfaces(), Sources: 1})
	if err == nil {
		err = steer.Close()
	}
	switch {
	case err != nil && h.cfg.Transport == config.XDP:
		h.fail(fmt.Errorf("transport xdp: %w", err))
	case err != nil:
		h.warn(fmt.Sprintf("sockets will be used instead of XDP: %v", err))
		return workers
	}
	if queues, err := p.Queues(); err == nil && queues > 0 {
		return queues
	}
	return workers
}

// listen opens an address of TFTP, and reports whether that works.
func (h *hostCheck) listen(a netip.AddrPort) bool {
	return h.open("listen", "udp", a, a.String(), func() (func(), error) {
		r, err := udp.Reserve(a)
		if errors.Is(err, unix.EAFNOSUPPORT) && len(h.cfg.Listen) > 1 && a.Addr() == netip.IPv6Unspecified() {
			return func() {}, nil // sockets reports it
		}
		if err != nil {
			return nil, err
		}
		return r.Close, nil
	})
}

// web opens an address of HTTP.
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
	h.open(key, "tcp", at, address, func() (func(), error) {
		ln, err := listen.TCP(address)
		if errors.Is(err, unix.EADDRNOTAVAIL) {
			return func() {}, nil // the server waits for it
		}
		if err != nil {
			return nil, err
		}
		return func() { ln.Close() }, nil
	})
}

const (
	openTries = 10
	openWait  = 100 * time.Millisecond // another check has an address for less
)

// open opens an address until the end of the check. One that a running server with this configuration has counts as opened.
func (h *hostCheck) open(key, network string, at netip.AddrPort, name string, try func() (func(), error)) bool {
	var err error
	for n := range openTries {
		if n > 0 {
			time.Sleep(openWait)
		}
		var undo func()
		if undo, err = try(); err == nil {
			h.opened = append(h.opened, opened{key, network, at, undo})
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
		if n == openTries-1 {
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

// twice returns the key of this configuration that has already opened an address.
func (h *hostCheck) twice(network string, at netip.AddrPort) string {
	for _, t := range h.opened {
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

// runs reports whether a socket belongs to a running server with this configuration. Of other users' processes only the user is
// known.
func (h *hostCheck) runs(o ports.Owner) bool {
	if len(o.Processes) > 0 {
		return slices.ContainsFunc(o.Processes, func(p ports.Process) bool { return slices.Contains(h.running, p.PID) })
	}
	return slices.ContainsFunc(h.running, func(pid int) bool {
		var st unix.Stat_t
		return unix.Stat(fmt.Sprintf("/proc/%d", pid), &st) == nil && int(st.Uid) == o.UID
	})
}

// socket reports the path of a Unix socket at which another server answers, or that the server's user cannot create.
func (h *hostCheck) socket(path string) {
	if admin.Answering(path) {
		if owner := ports.UnixOwner(path); !h.runs(owner) {
			h.fail(fmt.Errorf("admin: unix:%s: in use by %v", path, owner))
		}
		return
	}
	if h.cfg.User != "" {
		return // the server gives the directory to its user
	}
	dir := filepath.Dir(path)
	h.asRunner(func() {
		if err := unix.Faccessat(unix.AT_FDCWD, dir, unix.W_OK|unix.X_OK, unix.AT_EACCESS); errors.Is(err, syscall.EACCES) && !h.runner.absent {
			h.fail(fmt.Errorf("admin: %w", &os.PathError{Op: "write to", Path: dir, Err: err}))
		}
	})
}

// sockets opens the sockets of the workers, including the transfer ports. If the addresses of listen are not free, it only checks
// that there are enough ports.
func (h *hostCheck) sockets(workers int, free bool) {
	if !free || h.runner.absent {
		sockets, _ := ingress.SocketsOf(h.cfg, workers)
		if err := sockets.Check(workers); err != nil {
			h.fail(err)
		}
		return
	}
	h.release()
	few, warnings, err := ingress.TrySockets(h.cfg, workers)
	for try := 1; errors.Is(err, unix.EADDRINUSE) && try < openTries; try++ {
		time.Sleep(openWait)
		few, warnings, err = ingress.TrySockets(h.cfg, workers)
	}
	if err != nil {
		h.fail(err)
		return
	}
	if few != "" && h.runner.cred == nil {
		h.warn(few)
	}
	h.warn(warnings...)
}
