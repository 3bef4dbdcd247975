package main

import (
	"context"
	"crypto/md5"
	"encoding/binary"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/bench/rig"
	"dcs/bench/storm"
)

// dcs returns the server's binary: $DCS_BINARY, or one built from the tree.
func dcs(t *testing.T) string {
	t.Helper()
	bin, err := rig.Binary(t.Context(), t.TempDir(), os.Getenv("DCS_BINARY"))
	if err != nil {
		t.Fatal(err)
	}
	return bin
}

// TestWorstHour is the storm that DCS is made for: 65,536 modems ask within one second for files of their own, and the
// wire loses 5 % each way. The modems' waits are shortened, as is the test.
func TestWorstHour(t *testing.T) {
	require.Long(t, "a run of every contestant")
	lossy := netlab.Rates{Drop: 0.05}
	lab := netlab.ForTest(t, netlab.Config{Faults: &netlab.Faults{Seed: 1, ToServer: lossy, ToLoad: lossy}})
	c := contestant{lab: lab, port: 1070, file: "isrrip{cpe}bw{tier}.bin", verify: verifier(unixNow)}
	c.cmd = exec.Command(dcs(t), "serve", "--listen", "198.19.0.1:1070", "--workers", "1", "--library", "library")
	log := new(strings.Builder)
	c.cmd.Stdout, c.cmd.Stderr = log, log
	if err := lab.Server.Start(c.cmd, serverCPU); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = c.cmd.Process.Kill()
		_ = c.cmd.Wait() // says that it was killed
		if t.Failed() {
			t.Logf("the server:\n%s", log)
		}
	}()
	if err := c.ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	cfg := c.config(0)
	cfg.Within, cfg.CPU = time.Second, -1
	cfg.Backoff = []time.Duration{400 * time.Millisecond, 800 * time.Millisecond, 1600 * time.Millisecond}
	cfg.Restarts = storm.Default().Restarts
	res, err := c.load(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := res.Text(&text); err != nil {
		t.Fatal(err)
	}
	t.Logf("\n%s", &text)
	if res.Served != 65536 || res.Wrong != 0 || res.Failed != 0 || res.FailedTwice != 0 {
		t.Error("not every modem has its file, or one failed twice")
	}
}

func TestWholeRun(t *testing.T) {
	require.Long(t, "a run of every contestant")
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	bin := dcs(t)
	opt := options{
		dcs: bin, before: bin, window: 64, library: "library", name: "isrrip{cpe}bw{tier}.bin",
		rounds: 1, size: 400, length: 100 * time.Millisecond, xdp: true,
	}
	var b strings.Builder
	if err := opt.run(t.Context(), &b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\n| limit |", "\n| dcs, rendered |", "\n| dcs, static |", "\n| limit, AF_XDP |", "\n| dcs, AF_XDP, rendered |", "\n| dcs, AF_XDP, rendered | 150000 |", "\n| before, static | 64 |", "\n## Against before\n", "\n- kernel: Linux"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("%q is missing in\n%s", want, &b)
		}
	}
}

// file is a modem's file: TLV 3, 19, 20, 6.
func file(stamp uint32, addr [4]byte) []byte {
	b := []byte{3, 1, 1, 19, 4}
	b = binary.BigEndian.AppendUint32(b, stamp)
	b = append(append(b, 20, 4), addr[:]...)
	hash := md5.Sum(b)
	return append(append(append(b, 6, 16), hash[:]...), 255)
}

func TestVerifier(t *testing.T) {
	const now = 1_000_000_000
	modem := netip.MustParseAddr("198.18.1.2")
	good := file(now+since1900, modem.As4())
	flip := func(at int) []byte {
		b := []byte(string(good))
		b[at] ^= 1
		return b
	}
	for name, c := range map[string]struct {
		body []byte
		ok   bool
	}{
		"right":           {good, true},
		"another's":       {file(now+since1900, [4]byte{198, 18, 1, 3}), false},
		"too old":         {file(now+since1900-31, modem.As4()), false},
		"not signed":      {flip(len(good) - 2), false},
		"of the future":   {file(now+since1900+2, modem.As4()), false},
		"another content": {flip(2), false},
		"cut off":         {good[:len(good)-5], false},
		"without MIC":     {good[:15], false},
		"empty":           {nil, false},
	} {
		err := verifier(func() int64 { return now })(nil, modem, c.body)
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
