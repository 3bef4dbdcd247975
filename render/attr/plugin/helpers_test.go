package plugin_test

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/plugin"
	"dcs/render/device"
)

var ctx = context.Background()

// TestMain runs more tests at once than there are processors: they wait for processes.
func TestMain(m *testing.M) {
	flag.Parse()
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

const hello = `echo '{"hello":1,"attributes":["a","b"],"list":true,"ask":true}'` + "\n"

// lineLog collects lines.
type lineLog struct {
	mu    sync.Mutex
	lines []string
}

func (s *lineLog) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
}

func (s *lineLog) all() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.lines)
}

// script makes a plug-in of a shell script.
func script(t *testing.T, text string, change func(*plugin.Config)) attr.Asker {
	t.Helper()
	cfg := plugin.Config{
		Name: "p", Argv: []string{"sh", "-c", text, "plugin"}, Dir: t.TempDir(),
		BackoffMin: 20 * time.Millisecond, BackoffMax: 200 * time.Millisecond, Timeout: 10 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	src, err := plugin.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func open(t *testing.T, src attr.Source) []string {
	t.Helper()
	names, err := src.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func text(names []string, d *attr.Device) string {
	s := ""
	if !d.MAC.IsZero() {
		s = fmt.Sprintf("%x", d.MAC[:])
	}
	if d.IP.IsValid() {
		s += " " + d.IP.String()
	}
	for i, v := range d.Values {
		if v != "" {
			s += " " + names[i] + "=" + v
		}
	}
	return s
}

func load(src attr.Source, names []string) (all []string, err error) {
	err = src.Load(ctx, func(d *attr.Device) error { all = append(all, text(names, d)); return nil })
	slices.Sort(all)
	return all, err
}

func mac(last byte) device.MAC { return device.MAC{0, 0, 0x5e, 0, 0x53, last} }
