package store

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/internal/rendertest"
)

const crashDevices = 200

// changing is a source whose devices change all the time. A device's value is the number of the change that made it.
type changing struct {
	i     int
	next  int
	rand  *rand.Rand
	state map[device.MAC]attr.Change
	tell  func(format string, args ...any)
}

func (c *changing) Name() string { return fmt.Sprint("source", c.i) }
func (c *changing) Close() error { return nil }

func (c *changing) Open(context.Context) ([]string, error) {
	return []string{fmt.Sprint("n", c.i)}, nil
}

func (c *changing) Load(ctx context.Context, yield func(*attr.Device) error) error {
	for _, d := range c.state {
		if d.Gone {
			continue
		}
		if err := yield(&d.Device); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Follow changes a few devices at a time, and sometimes requests a load. Addresses move between devices.
func (c *changing) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	for ctx.Err() == nil {
		var list []attr.Change
		for range 1 + c.rand.IntN(4) {
			n := c.rand.IntN(crashDevices)
			d := attr.Device{MAC: mac(n), Values: []string{strconv.Itoa(c.next)}}
			if c.rand.IntN(2) == 0 {
				d.IP = netip.AddrFrom4([4]byte{10, byte(c.i), 0, byte(c.rand.IntN(50))})
			}
			ch := attr.Change{Device: d, Gone: c.rand.IntN(8) == 0}
			if value := d.Values[0]; ch.Gone {
				c.tell("made %d %d -", c.i, n)
			} else {
				c.tell("made %d %d %s", c.i, n, value)
			}
			c.next++
			c.state[d.MAC] = ch
			list = append(list, ch)
		}
		if err := apply(list); err != nil {
			return err
		}
		if c.rand.IntN(40) == 0 {
			if err := apply(nil); err != nil {
				return err
			}
		}
		time.Sleep(time.Duration(c.rand.IntN(2000)) * time.Microsecond) // the pace of changes
	}
	return ctx.Err()
}

// served returns the value of a source's device in a View, which is the number of the change that made it; "-": none.
func served(v *View, source, device int) string {
	r, ok := v.Lookup(mac(device), nil)
	at, known := v.Schema().Index(fmt.Sprint("n", source))
	if !ok || !known {
		return "-"
	}
	value, has := r.Get(at)
	if !has {
		return "-"
	}
	value = strings.Clone(value)
	runtime.KeepAlive(v)
	return value
}

// crashStore runs a Store whose sources change, until it is killed or its standard input ends. It prints each change before the source
// reports it, and what the Store serves. first is the number of the first change.
func crashStore(dir string, first, sources int) error {
	var mu sync.Mutex
	tell := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Fprintf(os.Stdout, format+"\n", args...)
	}
	var list []attr.Source
	for i := range sources {
		list = append(list, &changing{
			i: i, next: first, rand: rand.New(rand.NewPCG(uint64(first), uint64(i))), state: map[device.MAC]attr.Change{}, tell: tell,
		})
	}
	s, err := Open(Config{
		Dir: dir, Sources: list, Now: time.Now, Publish: time.Millisecond, RetryMin: time.Millisecond, RetryMax: 5 * time.Millisecond,
		Compact: 30 * time.Millisecond, Overlay: 100, Shrink: 1, Memory: 1 << 20,
		Small: []int{1, 0}[first/1_000_000%2], // in every other round, loads of few differences are applied as changes
	})
	if err != nil {
		return err
	}
	ends := make(chan struct{})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		close(ends)
	}()
	was := make(map[[2]int]string)
	for ended := false; ; {
		v, durable := s.View(), s.Durable() == nil
		for i := range sources {
			for n := range crashDevices {
				if now := served(v, i, n); now != was[[2]int{i, n}] {
					was[[2]int{i, n}] = now
					tell("served %d %d %s %v", i, n, now, durable && s.Durable() == nil)
				}
			}
		}
		if ended {
			return nil
		}
		select {
		case <-ends:
			if err := s.Close(); err != nil {
				return err
			}
			ended = true
		case <-time.After(100 * time.Microsecond):
		}
	}
}

// history is the changes of a device at a source, in order, and the index of the one served last.
type history struct {
	made   []string
	served int
}

// histories has the history of each device, by source and device.
type histories map[[2]int]*history

// read reads what crashStore prints, until it ends. begun is closed at the first change that is served.
func (h histories) read(t *testing.T, r io.Reader, begun chan<- struct{}) (changes int) {
	in := bufio.NewScanner(r)
	for in.Scan() {
		f := strings.Split(in.Text(), " ")
		if len(f) < 4 {
			continue // cut off
		}
		i, _ := strconv.Atoi(f[1])
		n, _ := strconv.Atoi(f[2])
		d := h[[2]int{i, n}]
		if f[0] == "made" {
			d.made = append(d.made, f[3])
			continue
		}
		if len(f) < 5 || f[4] == "" {
			continue
		}
		if f[4] == "false" {
			continue // it has said that this may be forgotten
		}
		at := slices.Index(d.made[d.served:], f[3])
		if at < 0 {
			t.Errorf("source %d, device %d: %s is served, which it was not; %v", i, n, f[3], d)
			continue
		}
		if d.served += at; at > 0 {
			changes++
		}
		if changes == 1 && begun != nil {
			close(begun)
			begun = nil
		}
	}
	if begun != nil {
		close(begun)
	}
	return changes
}

// TestMain is also the process that the tests below end.
func TestMain(m *testing.M) {
	dir := os.Getenv("DCS_TEST_CRASH")
	if dir == "" {
		os.Exit(m.Run())
	}
	first, err := strconv.Atoi(cmp.Or(os.Getenv("DCS_TEST_CRASH_FIRST"), "0"))
	if file := os.Getenv("DCS_TEST_CRASH_FILE"); file != "" {
		err = flippedStore(dir, file)
	} else if err == nil {
		err = crashStore(dir, first, len(os.Getenv("DCS_TEST_CRASH_SOURCES")))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// rounds returns how often a Store is ended: short, or long if DCS_LONG is set.
func rounds(short, long int) int {
	if require.AllTime() {
		return long
	}
	return short
}

// runAndEnd runs a Store and ends it a while after it has served its first change. It returns the number of changes served.
func (h histories) runAndEnd(t *testing.T, dir, how string, first, sources int, alive time.Duration) (changes int) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "DCS_TEST_CRASH="+dir, "DCS_TEST_CRASH_FIRST="+strconv.Itoa(first),
		"DCS_TEST_CRASH_SOURCES="+strings.Repeat("x", sources))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	in, err1 := cmd.StdinPipe()
	out, err2 := cmd.StdoutPipe()
	if err := errors.Join(err1, err2, cmd.Start()); err != nil {
		t.Fatal(err)
	}
	begun, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		changes = h.read(t, out, begun)
	}()
	<-begun
	time.Sleep(alive) // a random time, so that it ends at any point of its work
	if how == "full disk" {
		if err := os.WriteFile(filepath.Join(dir, "filler"), make([]byte, diskSize), 0o600); !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
		time.Sleep(alive)
	}
	if how != "close" {
		_ = cmd.Process.Kill()
	}
	in.Close()
	<-ended
	if err := cmd.Wait(); err != nil && how == "close" {
		t.Fatalf("%s: %v, %s", how, err, stderr.String())
	}
	return changes
}

// begin returns histories that start with the content of a directory, followed by no device.
func begin(t *testing.T, dir string, sources int) histories {
	h := make(histories)
	h.each(t, dir, sources, func(key [2]int, now string) { h[key] = &history{made: []string{now, "-"}} })
	return h
}

// each opens a Store whose sources are down, and calls f with what it serves.
func (h histories) each(t *testing.T, dir string, sources int, f func(key [2]int, now string)) {
	t.Helper()
	var list []attr.Source
	for i := range sources {
		list = append(list, plain{down(fmt.Sprint("source", i))})
	}
	cfg, ev := testConfig(dir, list...)
	cfg.OpenWait = time.Nanosecond
	s := openStore(t, cfg)
	v := s.View()
	for i := range sources {
		for n := range crashDevices {
			f([2]int{i, n}, served(v, i, n))
		}
	}
	s.Close()
	for _, e := range ev.list {
		if e.Kind == Damaged {
			t.Errorf("after it was ended: %v", e.Err)
		}
	}
}

// check compares what is served after the end, without the sources, with the histories: nothing older than what was served before.
func (h histories) check(t *testing.T, dir string, sources int) {
	t.Helper()
	h.each(t, dir, sources, func(key [2]int, now string) {
		if d := h[key]; !slices.Contains(d.made[d.served:], now) {
			t.Errorf("source %d, device %d: %s is served; %v", key[0], key[1], now, d)
		}
	})
}

// diskSize is the size of the file system that is filled up.
const diskSize = 8 << 20

func testEnded(t *testing.T, n, sources int, ways ...string) {
	dir := t.TempDir()
	r := rand.New(rand.NewPCG(uint64(os.Getpid()), 2))
	changes := 0
	for i := range n {
		if i%5 == 0 { // with no files, too
			dir = t.TempDir()
			if slices.Contains(ways, "full disk") {
				rendertest.MountTmpfs(t, dir, fmt.Sprint(diskSize))
			}
		}
		how := ways[i%len(ways)]
		h := begin(t, dir, sources)
		changes += h.runAndEnd(t, dir, how, 1+i*1_000_000, sources, time.Duration(r.Int64N(int64(60*time.Millisecond))))
		if h.check(t, dir, sources); t.Failed() {
			t.Fatalf("round %d, ended by %s", i, how)
		}
		_ = os.Remove(filepath.Join(dir, "filler"))
	}
	t.Logf("%d changes were served", changes)
	if changes < 5*n {
		t.Error("next to none: the Stores were ended before they did anything")
	}
}

// What was served before the process ended is served after it, with all sources down.
func TestEnded(t *testing.T) {
	require.Long(t, "processes that are killed")
	t.Run("one source", func(t *testing.T) { testEnded(t, rounds(4, 50), 1, "kill", "close") })
	t.Run("sources", func(t *testing.T) { testEnded(t, rounds(6, 100), 3, "kill", "close") })
	t.Run("full disk", func(t *testing.T) { testEnded(t, rounds(4, 50), 2, "full disk", "close") })
}
