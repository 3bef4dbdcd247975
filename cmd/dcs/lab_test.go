package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// labServe starts the server in a lab and waits until it is ready.
func labServe(t *testing.T, lab *netlab.Lab, args ...string) *process {
	t.Helper()
	p := labStart(t, lab, args...)
	p.await("msg=serving")
	return p
}

func labStart(t *testing.T, lab *netlab.Lab, args ...string) *process {
	t.Helper()
	return labRun(t, lab, exec.Command(binary(t), append([]string{"serve", "--drain", "1s"}, args...)...))
}

// labRun runs a command that becomes the server.
func labRun(t *testing.T, lab *netlab.Lab, cmd *exec.Cmd) *process {
	t.Helper()
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(cmd); err != nil {
		t.Fatal(err)
	}
	p := &process{t: t, cmd: cmd, port: "69", log: &lines{}, exit: make(chan error, 1)}
	read := make(chan struct{})
	go func() {
		p.log.read(stderr)
		close(read)
	}()
	go func() {
		<-read
		p.exit <- cmd.Wait()
	}()
	t.Cleanup(func() {
		_ = p.stop(syscall.SIGKILL) // it ends as it may
		if t.Failed() {
			t.Logf("the server said:\n%s", p.log)
		}
	})
	return p
}

// said waits until the server has said a line with all of the words.
func (p *process) said(words ...string) {
	p.t.Helper()
	eventually(p.t, "the server says "+strings.Join(words, " … "), func() bool { return p.count(words...) > 0 })
}

// count returns how many lines of the log have all of the words.
func (p *process) count(words ...string) int {
	n := 0
	for line := range strings.Lines(p.log.String() + "\n") {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// labFetch gets a file with our own client from the lab's other end.
func labFetch(t *testing.T, lab *netlab.Lab, host, name string, args ...string) (string, error) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command(binary(t), append([]string{"get", net.JoinHostPort(host, "69"), name, "--timeout", "2s", "--tries", "2"}, args...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := lab.Load.Run(cmd); err != nil {
		return "", fmt.Errorf("%w: %s", err, stderr.String())
	}
	return stdout.String(), nil
}

func want(t *testing.T, lab *netlab.Lab, host, name, body string) {
	t.Helper()
	if got, err := labFetch(t, lab, host, name); err != nil || got != body {
		t.Errorf("%s from %s: %d octets, %v; want %d", name, host, len(got), err, len(body))
	}
}

func wantSilence(t *testing.T, lab *netlab.Lab, host, name string) {
	t.Helper()
	if got, err := labFetch(t, lab, host, name, "--timeout", "500ms"); err == nil {
		t.Errorf("%s from %s: %d octets, and should be silence", name, host, len(got))
	}
}

// static makes a directory of files to be served as they are.
func static(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, body := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// ethtoolFlags turns flags of a device in a host on or off (linux/ethtool.h, ETH_FLAG_…).
func ethtoolFlags(h *netlab.Host, name string, on, off uint32) error {
	return h.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		value := struct{ cmd, data uint32 }{cmd: unix.ETHTOOL_GFLAGS}
		var ifr struct {
			name [unix.IFNAMSIZ]byte
			data unsafe.Pointer
			_    [16]byte
		}
		copy(ifr.name[:unix.IFNAMSIZ-1], name)
		ifr.data = unsafe.Pointer(&value)
		for _, cmd := range []uint32{unix.ETHTOOL_GFLAGS, unix.ETHTOOL_SFLAGS} {
			if value.cmd = cmd; cmd == unix.ETHTOOL_SFLAGS {
				value.data = value.data&^off | on
			}
			if _, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&ifr))); errno != 0 {
				return errno
			}
		}
		runtime.KeepAlive(&value)
		return nil
	})
}

const flagsVLAN = 1<<7 | 1<<8 // ETH_FLAG_TXVLAN, ETH_FLAG_RXVLAN

// tagsOnFrames has the devices of a lab leave the tags of VLANs on frames, and put them there.
func tagsOnFrames(t *testing.T, lab *netlab.Lab) {
	t.Helper()
	for _, h := range []*netlab.Host{lab.Server, lab.Load} {
		if err := ethtoolFlags(h, netlab.Device, 0, flagsVLAN); err != nil {
			t.Fatal(err)
		}
	}
}

// addVLAN puts a VLAN with addresses of its own on both ends of the lab: 198.19.id.1 and .2, fd00:198:id::1 and ::2. It
// returns false where the kernel has no VLANs; frames with tags are tested in package xsk too, without.
func addVLAN(t *testing.T, lab *netlab.Lab, id int) (four, six string, ok bool) {
	t.Helper()
	for i, h := range []*netlab.Host{lab.Server, lab.Load} {
		err := h.Do(func() error {
			parent, err := netlink.LinkByName(netlab.Device)
			if err != nil {
				return err
			}
			attrs := netlink.NewLinkAttrs()
			attrs.Name, attrs.ParentIndex = fmt.Sprintf("%s.%d", netlab.Device, id), parent.Attrs().Index
			v := &netlink.Vlan{LinkAttrs: attrs, VlanId: id, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}
			if err := netlink.LinkAdd(v); err != nil {
				return err
			}
			for _, text := range []string{fmt.Sprintf("198.19.%d.%d/24", id, i+1), fmt.Sprintf("fd00:198:%d::%d/64", id, i+1)} {
				a, err := netlink.ParseAddr(text)
				if err != nil {
					return err
				}
				if a.IP.To4() == nil {
					a.Flags = unix.IFA_F_NODAD
				}
				if err := netlink.AddrAdd(v, a); err != nil {
					return err
				}
			}
			return netlink.LinkSetUp(v)
		})
		if errors.Is(err, unix.EOPNOTSUPP) {
			return "", "", false
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return fmt.Sprintf("198.19.%d.1", id), fmt.Sprintf("fd00:198:%d::1", id), true
}

// xdpOf returns the id of the XDP program on the lab's server, 0 if there is none.
func xdpOf(t *testing.T, lab *netlab.Lab) uint32 {
	t.Helper()
	return netlab.XDPOn(t, lab.Server)
}

// detachAll detaches every link of a program, as bpftool does.
func detachAll(lab *netlab.Lab, program uint32) error {
	return lab.Server.Do(func() error {
		for it := new(link.Iterator); it.Next(); {
			info, err := it.Link.Info()
			if err != nil || uint32(info.Program) != program {
				continue
			}
			return it.Link.Detach()
		}
		return errors.New("the program has no link")
	})
}
