package bpf

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// withCaps runs f on a thread that has no other capabilities.
func withCaps(t testing.TB, f func(), caps ...uint) {
	t.Helper()
	errc := make(chan error)
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with this goroutine
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		var data [2]unix.CapUserData
		for _, c := range caps {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			errc <- err
			return
		}
		f()
		errc <- nil
	}()
	if err := <-errc; err != nil {
		t.Fatal(err)
	}
}

func TestCapabilities(t *testing.T) {
	require.Root(t)
	for _, c := range []struct {
		have               []uint
		missing, reuseport []string
	}{
		{nil, []string{"CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN"}, []string{"CAP_BPF", "CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF}, []string{"CAP_PERFMON", "CAP_NET_ADMIN"}, []string{"CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF, unix.CAP_NET_ADMIN}, []string{"CAP_PERFMON"}, nil},
		{[]uint{unix.CAP_SYS_ADMIN}, []string{"CAP_NET_ADMIN"}, []string{"CAP_NET_ADMIN"}},
		{[]uint{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN}, nil, nil},
		{[]uint{unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN}, nil, nil},
	} {
		withCaps(t, func() {
			check := func(what string, err error, missing []string) {
				t.Helper()
				var lacks *CapabilityError
				if missing == nil {
					if err != nil {
						t.Errorf("%s with %v: %v", what, c.have, err)
					}
					return
				}
				if !errors.As(err, &lacks) || !slices.Equal(lacks.Missing, missing) {
					t.Errorf("%s with %v: %v", what, c.have, err)
					return
				}
				for _, name := range missing {
					if !strings.Contains(err.Error(), name) {
						t.Errorf("%q does not name %s", err, name)
					}
				}
			}
			s, err := Load(testConfig())
			check("load", err, c.missing)
			if err == nil {
				check("close", s.Close(), nil)
			}
			check("probe", Probe("lo").Err, c.missing)
			conn, err := reuse.ListenPacket(t.Context(), "udp", "127.0.0.1:0")
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			r, err := NewReuseport(fds(t, []*net.UDPConn{conn.(*net.UDPConn)}))
			check("reuseport", err, c.reuseport)
			if err == nil {
				check("close", r.Close(), nil)
			}
		}, c.have...)
	}
}

// These three are all that it takes, and none once it is attached.
func TestPrivilegesDropped(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	var s *Steer
	var ns *os.File
	err := lab.Server.Do(func() (err error) {
		ns, err = os.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ns.Close()
	withCaps(t, func() {
		// To enter the lab takes a capability of its own.
		if err := unix.Setns(int(ns.Fd()), unix.CLONE_NEWNET); err != nil {
			t.Error(err)
			return
		}
		hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
		data := [2]unix.CapUserData{}
		for _, c := range []uint{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN} {
			data[c/32].Effective |= 1 << (c % 32)
			data[c/32].Permitted |= 1 << (c % 32)
		}
		if err := unix.Capset(&hdr, &data[0]); err != nil {
			t.Error(err)
			return
		}
		var err error
		if s, err = Load(labConfig()); err != nil {
			t.Error(err)
			return
		}
		if c, err := s.programs[0].Attach(netlab.Device, Auto); err != nil || c.Mode != Native {
			t.Errorf("%+v, %v", c, err)
		}
	}, unix.CAP_SYS_ADMIN, unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN)
	if t.Failed() {
		return
	}
	defer s.Close()
	withCaps(t, func() {
		for i := range 3 {
			if err := s.SetACL([]netip.Prefix{netip.PrefixFrom(netlab.LoadAddr4, 8+i)}); err != nil {
				t.Error(err)
			}
		}
		if err := s.SetACL(nil); err != nil {
			t.Error(err)
		}
		if err := s.SetRate(10, 10); err != nil {
			t.Error(err)
		}
		if err := s.setListen([]netip.AddrPort{any4}, nil); err != nil {
			t.Error(err)
		}
		if err := s.SetWorkers([]int{0}); err != nil {
			t.Error(err)
		}
		if _, err := s.Stats(); err != nil {
			t.Error(err)
		}
		if err := s.programs[0].check(s.programs[0].hook); err != nil {
			t.Error(err)
		}
		if err := s.programs[0].refresh(s.programs[0].hook.net, s.programs[0].hook.index); err != nil {
			t.Error(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for d, err := range s.Drops(ctx) {
			t.Errorf("%v, %v", d, err)
		}
		if err := s.programs[0].Detach(); err != nil {
			t.Error(err)
		}
	})
	if id := netlab.XDPOn(t, lab.Server); id != 0 {
		t.Errorf("program %d is still there", id)
	}
}
