package netlab

import (
	"testing"

	"github.com/vishvananda/netlink"

	"dcs/bench/require"
)

// ForTest builds a lab for the duration of the test. Without root, or without a kernel that can do it, it skips the
// test with the reason, or fails it if DCS_REQUIRE_ROOT or DCS_REQUIRE_KERNEL is set.
func ForTest(t testing.TB, cfg Config) *Lab {
	t.Helper()
	require.Root(t)
	require.Long(t, "network namespaces")
	if cfg.Threaded {
		require.Kernel(t, 6, 8, "netlink family that names NAPI threads")
	}
	lab, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := lab.Close(); err != nil {
			t.Errorf("close the lab: %v", err)
		}
	})
	return lab
}

// XDPOn returns the id of the XDP program on a host's device; 0: none.
func XDPOn(t testing.TB, h *Host) (id uint32) {
	t.Helper()
	err := h.Do(func() error {
		l, err := netlink.LinkByName(Device)
		if err == nil && l.Attrs().Xdp != nil && l.Attrs().Xdp.Attached {
			id = l.Attrs().Xdp.ProgId
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return id
}
