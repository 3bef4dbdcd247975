package ingress

import (
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
	"dcs/cmd/internal/config"
)

// busy_poll reaches the workers' sockets and the interface, whose interrupts it defers until the server ends.
func TestBusyPoll(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	const defers = "/sys/class/net/" + netlab.Device + "/napi_defer_hard_irqs"
	setting := func() (string, error) {
		b, err := os.ReadFile(defers)
		return strings.TrimSpace(string(b)), err
	}
	for _, tt := range []struct {
		on   bool
		want string
	}{{false, "0"}, {true, "2"}} { // Documentation/networking/napi.rst: 0 is the default
		lab := netlab.ForTest(t, netlab.Config{})
		cfg := config.Default()
		cfg.Listen = []netip.AddrPort{netip.AddrPortFrom(netlab.ServerAddr4, 6969)}
		cfg.Interfaces, cfg.Transport, cfg.BusyPoll = []string{netlab.Device}, config.XDP, tt.on
		err := lab.Server.Do(func() error {
			// Of this thread alone, which ends with the function: /sys shows the devices of the namespace that mounted it.
			err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""), unix.Mount("sysfs", "/sys", "sysfs", 0, ""))
			if err != nil {
				return err
			}
			in, err := Open(&cfg, slog.New(slog.DiscardHandler), 1)
			if err != nil {
				return err
			}
			got, err := setting()
			if err != nil {
				return errors.Join(err, in.Close())
			}
			if got != tt.want {
				t.Errorf("busy_poll %v: interrupts deferred %s times, want %s", tt.on, got, tt.want)
			}
			if got := in.rings.Transports[0].BusyPolls(); got != tt.on {
				t.Errorf("busy_poll %v: the worker polls: %v", tt.on, got)
			}
			// The log says so only where it was asked for.
			args := in.LogArgs()
			if i := slices.Index(args, any("busy_poll")); (i >= 0) != tt.on || tt.on && args[i+1] != any(true) {
				t.Errorf("busy_poll %v: log attributes %v", tt.on, args)
			}
			if err := in.Close(); err != nil {
				return err
			}
			if got, err = setting(); err == nil && got != "0" {
				t.Errorf("busy_poll %v: interrupts deferred %s times after the end", tt.on, got)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}
