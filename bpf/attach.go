package bpf

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// hook is an attached program.
type hook struct {
	link  link.Link
	net   *netlink.Handle
	index int
	mode  Mode
	tags  *ethtool // set if the device stripped tags before: the setting to restore
	stop  chan struct{}
	done  sync.WaitGroup
}

// Attach attaches the program to an interface, in the mode that Probe chooses if m is Auto, else only in m, and makes
// the device leave VLAN tags on frames until Detach. The kernel detaches the program on Detach and Close, and when the
// process ends in any way. The error is that of the Choice.
func (p *Program) Attach(iface string, m Mode) (Choice, error) {
	p.change.Lock()
	defer p.change.Unlock()
	if p.hook != nil {
		return Choice{Mode: Off}, errors.New("bpf: attach: already attached")
	}
	c := p.attach(iface, m)
	if c.Err != nil {
		return c, fmt.Errorf("bpf: attach to %s: %w", iface, c.Err)
	}
	return c, nil
}

func (p *Program) attach(iface string, m Mode) (c Choice) {
	if err := need(capNetAdmin); err != nil {
		return off(err)
	}
	h, err := netlink.NewHandle(unix.NETLINK_ROUTE, unix.NETLINK_GENERIC)
	if err != nil {
		return off(fmt.Errorf("netlink: %w", err))
	}
	defer func() {
		if c.Mode == Off {
			h.Close()
		}
	}()
	c, index := probe(h, iface)
	if c.Err != nil {
		return c
	}
	switch m {
	case Auto:
	case Native, Generic:
		c.Mode, c.Why = m, m.String()+", as requested"
	default:
		return off(fmt.Errorf("mode %v is not attachable", m))
	}
	// Before the first packet, which would otherwise be mistaken for another host's.
	if err := p.refresh(h, index); err != nil {
		return off(fmt.Errorf("addresses: %w", err))
	}
	k := &hook{net: h, index: index, stop: make(chan struct{})}
	if c.HidesTags { // before the first packet too
		c.HidesTags = k.leaveTags(iface)
	}
	if c = p.hookOn(k, iface, m, c); c.Err != nil {
		k.restoreTags()
		return c
	}
	k.done.Go(func() { p.watch(k, iface) })
	p.steer.mu.Lock()
	p.hook = k
	p.steer.mu.Unlock()
	return c
}

// hookOn hooks the program on k's interface in the mode of c, or the next best if m is Auto.
func (p *Program) hookOn(k *hook, iface string, m Mode, c Choice) Choice {
	l, err := p.hookTo(k.index, c.Mode)
	if err != nil {
		// Another program may have been attached since. The error alone does not show it: drivers may be busy for
		// other reasons.
		if now, _ := probe(k.net, iface); now.Err != nil {
			return now
		}
		if m != Auto || c.Mode != Native {
			return off(err)
		}
		c.Mode = Generic
		c.Why = fmt.Sprintf("generic: driver %q refused native: %v", c.Driver, err)
		if l, err = p.hookTo(k.index, c.Mode); err != nil {
			return off(err)
		}
	}
	k.link, k.mode = l, c.Mode
	return c
}

func (p *Program) hookTo(index int, m Mode) (link.Link, error) {
	p.steer.mu.Lock()
	err := p.spread(m != Generic)
	p.steer.mu.Unlock()
	if err != nil {
		return nil, err
	}
	flags := link.XDPDriverMode
	if m == Generic {
		flags = link.XDPGenericMode
	}
	return link.AttachXDP(link.XDPOptions{Program: p.objs.Steer, Interface: index, Flags: flags})
}

// leaveTags makes the device leave VLAN tags on frames, and reports whether it still strips them.
func (k *hook) leaveTags(iface string) (hides bool) {
	e, err := openEthtool()
	if err != nil {
		return true
	}
	if e.stripTags(iface, false) != nil || e.stripsTags(iface) {
		e.close()
		return true
	}
	k.tags = &e
	return false
}

// restoreTags undoes leaveTags. The interface may be gone or renamed.
func (k *hook) restoreTags() {
	if k.tags == nil {
		return
	}
	if l, err := k.net.LinkByIndex(k.index); err == nil {
		_ = k.tags.stripTags(l.Attrs().Name, true)
	}
	k.tags.close()
}

// Detach detaches the program, if it is attached.
func (p *Program) Detach() error {
	p.change.Lock()
	defer p.change.Unlock()
	p.steer.mu.Lock()
	k := p.hook
	p.hook = nil
	p.steer.mu.Unlock()
	if k == nil {
		return nil
	}
	close(k.stop)
	k.done.Wait()
	k.restoreTags()
	k.net.Close()
	if err := k.link.Close(); err != nil {
		return fmt.Errorf("bpf: detach: %w", err)
	}
	return nil
}

// Lost returns a channel that receives one error, within Config.Poll, if the program stops running without a call of
// Detach: another process has detached it, or the interface is gone.
func (p *Program) Lost() <-chan error { return p.lost }

// watch follows changes of the interface and the host's addresses while the program is attached.
func (p *Program) watch(k *hook, iface string) {
	t := time.NewTicker(p.steer.poll)
	defer t.Stop()
	for {
		select {
		case <-k.stop:
			return
		case <-t.C:
		}
		if err := p.check(k); err != nil {
			select {
			case p.lost <- fmt.Errorf("bpf: %s: %w", iface, err):
			default: // an earlier error has not been read
			}
			return
		}
		// What cannot be read now is read at the next tick; until then the known addresses remain in use.
		_ = p.refresh(k.net, k.index)
	}
}

// check returns an error if the program no longer runs. It polls, because rtnetlink sends no message when a bpf_link
// is detached or its program replaced.
func (p *Program) check(k *hook) error {
	info, err := k.link.Info()
	if err != nil {
		return fmt.Errorf("query the link: %w", err)
	}
	if x := info.XDP(); x == nil || x.Ifindex == 0 {
		return errors.New("XDP program detached by another process, or interface removed")
	}
	own, err := p.objs.Steer.Info()
	if err != nil {
		return fmt.Errorf("query the program: %w", err)
	}
	if id, ok := own.ID(); ok && id != info.Program {
		return fmt.Errorf("XDP program %d has replaced ours", info.Program)
	}
	return nil
}
