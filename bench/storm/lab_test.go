package storm_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/storm"
)

var (
	target4 = netip.AddrPortFrom(netlab.ServerAddr4, 69)
	target6 = netip.AddrPortFrom(netlab.ServerAddr6, 69)
)

var scratch string

func TestMain(m *testing.M) {
	var err error
	if scratch, err = os.MkdirTemp("", "dcs-storm-"); err != nil {
		panic(err)
	}
	code := m.Run()
	os.RemoveAll(scratch)
	os.Exit(code)
}

// responder builds the fixed-block responder, once for all tests.
var responder = sync.OnceValues(func() (string, error) {
	bin := filepath.Join(scratch, "limit")
	out, err := exec.Command("go", "build", "-o", bin, "dcs/bench/limit").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("build the responder: %w\n%s", err, out)
	}
	return bin, err
})

// limit starts the responder in the server's host, on CPU 0.
func limit(t testing.TB, lab *netlab.Lab, args ...string) {
	t.Helper()
	bin, err := responder()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(cmd, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // says that it was killed
	})
}

// block is what the responder answers.
func block(size int) []byte {
	b := make([]byte, size)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func run(t testing.TB, lab *netlab.Lab, cfg storm.Config) *storm.Result {
	t.Helper()
	cfg.Interface, cfg.SourceMAC = netlab.Device, netlab.GatewayMAC
	var res *storm.Result
	err := lab.Load.Do(func() (err error) {
		res, err = storm.Run(context.Background(), cfg)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return res
}

func logResult(t *testing.T, res *storm.Result) {
	t.Helper()
	var b bytes.Buffer
	if err := res.Text(&b); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &b)
}

func TestEveryModemIsServed(t *testing.T) {
	for name, target := range map[string]netip.AddrPort{"IPv4": target4, "IPv6": target6} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			limit(t, lab, "-listen", target.String())
			cfg := storm.Default()
			cfg.Target, cfg.Window, cfg.Count = target, 32, 65536
			cfg.Expect = block(400)
			modems := map[netip.Addr]bool{}
			cfg.Verify = func(_ []byte, modem netip.Addr, body []byte) error {
				modems[modem] = true
				if len(body) != 400 {
					return errors.New("not 400 bytes")
				}
				return nil
			}
			res := run(t, lab, cfg)
			logResult(t, res)
			if res.Served != 65536 || res.Offered != 65536 || res.PacketsDamaged != 0 || res.Strays != 0 {
				t.Error("not every modem was served at the first request")
			}
			if len(modems) != 65536 {
				t.Errorf("%d modems, want 65536", len(modems))
			}
		})
	}
}

func TestWrongFilesAreFound(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	limit(t, lab, "-listen", target4.String(), "-size", "399")
	cfg := storm.Default()
	cfg.Target, cfg.Count, cfg.Modems = target4, 100, 100
	cfg.Expect = block(400)
	if res := run(t, lab, cfg); res.Wrong != 100 || res.Served != 0 || len(res.Examples) == 0 {
		t.Errorf("wrong %d, served %d, examples %q", res.Wrong, res.Served, res.Examples)
	}
}

func TestOpenLoopKeepsItsRate(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	limit(t, lab, "-listen", target4.String())
	cfg := storm.Default()
	cfg.Target, cfg.Rate, cfg.Duration = target4, 5000, time.Second
	res := run(t, lab, cfg)
	logResult(t, res)
	if res.Offered != 5000 || res.Served != 5000 {
		t.Errorf("offered %d, served %d, want 5000", res.Offered, res.Served)
	}
}

// TestStormWithLoss is the worst hour: every modem asks within one second, and the wire loses 5 % each way.
func TestStormWithLoss(t *testing.T) {
	lossy := netlab.Rates{Drop: 0.05}
	lab := netlab.ForTest(t, netlab.Config{Faults: &netlab.Faults{Seed: 1, ToServer: lossy, ToLoad: lossy}})
	limit(t, lab, "-listen", target4.String())
	cfg := storm.Default()
	cfg.Target, cfg.Within = target4, time.Second
	cfg.Expect = block(400)
	cfg.Backoff = []time.Duration{400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond}
	cfg.Restarts = 50
	res := run(t, lab, cfg)
	logResult(t, res)
	t.Logf("wire: %+v", lab.FaultStats())
	if res.Served != 65536 || res.Wrong != 0 {
		t.Error("not all served")
	}
	// A generator that others keep from its work loses packets of its own, and these waits are a tenth of a modem's.
	if starved := res.PacketsLost > 0 || res.Latency.P50 > 1e6; res.FailedTwice != 0 && !starved {
		t.Error("failed twice")
	} else if starved {
		t.Log("the machine was too busy to tell whether a modem would have failed twice")
	}
	if res.Retries < 5000 {
		t.Errorf("%d retries: a loss of 5 %% each way makes some 7000", res.Retries)
	}
}

func TestDamagedPacketsAreSeen(t *testing.T) {
	bad := netlab.Rates{Corrupt: 0.1, Duplicate: 0.1, Reorder: 0.1}
	lab := netlab.ForTest(t, netlab.Config{Faults: &netlab.Faults{Seed: 1, ToServer: bad, ToLoad: bad}})
	limit(t, lab, "-listen", target4.String())
	cfg := storm.Default()
	cfg.Target, cfg.Rate, cfg.Count, cfg.Modems = target4, 5000, 5000, 5000
	cfg.Expect = block(400)
	cfg.Backoff = []time.Duration{500 * time.Millisecond, time.Second}
	cfg.Restarts = 50
	res := run(t, lab, cfg)
	logResult(t, res)
	if res.Served != 5000 || res.Wrong != 0 {
		t.Errorf("served %d, wrong %d: a damaged block was taken", res.Served, res.Wrong)
	}
	if res.PacketsDamaged == 0 || res.Duplicates == 0 || res.Retries == 0 {
		t.Error("damage, duplicates and retries are missing")
	}
}

// TestHardwareAddressesAreFound has modems on the server's own wire, and no gateway given: storm asks for the server's
// hardware address, and answers for its modems when the server asks for theirs.
func TestHardwareAddressesAreFound(t *testing.T) {
	for name, at := range map[string]struct {
		target netip.AddrPort
		modems string
	}{
		"IPv4": {target4, "198.19.0.64/26"},
		"IPv6": {target6, "fd00:198:19::4000/114"},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			limit(t, lab, "-listen", at.target.String())
			cfg := storm.Default()
			cfg.Target, cfg.Count, cfg.Modems, cfg.Net = at.target, 20, 20, netip.MustParsePrefix(at.modems)
			cfg.Drain = 2 * time.Second
			if res := run(t, lab, cfg); res.Served != 20 {
				logResult(t, res)
				t.Error("not all were served")
			}
		})
	}
}

func TestSocketsOnLoopback(t *testing.T) {
	require.Long(t, "a storm")
	for name, at := range map[string]struct {
		target string
		modems int
	}{
		"IPv4, one socket":    {"127.0.0.1:6969", 65536},
		"IPv6, a socket each": {"[::1]:6969", 100},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			limit(t, lab, "-listen", at.target)
			cfg := storm.Default()
			cfg.Target, cfg.Modems, cfg.Count = netip.MustParseAddrPort(at.target), at.modems, at.modems
			cfg.Expect = block(400)
			cfg.Drain = 2 * time.Second
			modems := map[netip.Addr]bool{}
			cfg.Verify = func(_ []byte, modem netip.Addr, _ []byte) error {
				modems[modem] = true
				return nil
			}
			var res *storm.Result
			err := lab.Server.Do(func() (err error) {
				res, err = storm.Run(context.Background(), cfg)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if res.Served != at.modems {
				logResult(t, res)
				t.Error("not all were served")
			}
			if cfg.Target.Addr().Is4() && len(modems) != at.modems {
				t.Errorf("%d modems' addresses, want %d", len(modems), at.modems)
			}
		})
	}
}

func TestSourceOfAStranger(t *testing.T) {
	cfg := storm.Default()
	cfg.Count = 1
	for _, target := range []string{"192.0.2.1:69", "[2001:db8::1]:69", "198.20.0.1:69", "10.0.0.1:69"} {
		cfg.Target = netip.MustParseAddrPort(target)
		if _, err := storm.Run(context.Background(), cfg); !errors.Is(err, storm.ErrForeign) {
			t.Errorf("%s: %v, want ErrForeign", target, err)
		}
	}
}
