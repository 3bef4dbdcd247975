package plugin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/plugin"
	"dcs/render/device"
)

// Both examples work as the manual (plugins.md) says.
func TestExamples(t *testing.T) {
	t.Parallel()
	want := []string{`00005e005301 192.0.2.1 profile=go"l\d down=1000000`, "00005e005302 profile=silver"}
	dir := t.TempDir()
	write := func(name, s string) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path+".new", []byte(s), 0o600), os.Rename(path+".new", path)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for _, tc := range []struct{ program, file string }{
		{"devices.sh", write("devices.txt", "# MAC IP PROFILE DOWN\n\n00:00:5e:00:53:01 192.0.2.1 go\"l\\d 1000000\n00:00:5E:00:53:02 - silver -\n")},
		{"devices.py", write("devices.json", `[{"mac": "00:00:5e:00:53:01", "ip": "192.0.2.1", "profile": "go\"l\\d", "down": 1000000}, {"mac": "00:00:5E:00:53:02", "profile": "silver"}]`)},
	} {
		t.Run(tc.program, func(t *testing.T) {
			t.Parallel()
			path, err := filepath.Abs(filepath.Join("examples", tc.program))
			if err != nil {
				t.Fatal(err)
			}
			var errs lineLog
			python := strings.HasSuffix(tc.program, ".py")
			src := script(t, "", func(c *plugin.Config) {
				c.Argv, c.Stderr, c.Changes = []string{path, tc.file}, errs.add, python
			})
			names := open(t, src)
			if !slices.Equal(names, []string{"profile", "down"}) {
				t.Fatalf("names %q", names)
			}
			for range 2 {
				if got, err := load(src, names); err != nil || !slices.Equal(got, want) {
					t.Fatalf("%v, %q", err, got)
				}
			}
			for _, q := range []struct {
				mac  byte
				ip   string
				want string
			}{{1, "", want[0]}, {2, "192.0.2.1", want[1]}, {0, "192.0.2.1", want[0]}, {9, "", ""}, {0, "192.0.2.9", ""}} {
				ip, _ := netip.ParseAddr(q.ip)
				var m device.MAC
				if q.mac != 0 {
					m = mac(q.mac)
				}
				d, found, err := src.Ask(ctx, m, ip)
				if err != nil || found != (q.want != "") || found && text(names, &d) != q.want {
					t.Errorf("ask for %d %s: %v, %v, %q", q.mac, q.ip, err, found, text(names, &d))
				}
			}
			if python {
				changes := make(chan string, 10)
				ctx, cancel := context.WithCancel(ctx)
				done := make(chan error)
				go func() {
					done <- src.(attr.Follower).Follow(ctx, func(cs []attr.Change) error {
						for _, c := range cs {
							changes <- text(names, &c.Device) + fmt.Sprintf(" gone=%v", c.Gone)
						}
						return nil
					})
				}()
				write("devices.json", `[{"mac": "00:00:5e:00:53:01", "profile": "platinum"}]`)
				for _, want := range []string{"00005e005301 profile=platinum gone=false", "00005e005302 gone=true"} {
					select {
					case got := <-changes:
						if got != want {
							t.Errorf("%q, want %q", got, want)
						}
					case <-time.After(30 * time.Second):
						t.Fatalf("%q has not come", want)
					}
				}
				cancel()
				if err := <-done; !errors.Is(err, context.Canceled) {
					t.Errorf("Follow ended with %v", err)
				}
			} else {
				if err := os.Remove(tc.file); err != nil {
					t.Fatal(err)
				}
				if _, err := load(src, names); err == nil || !strings.Contains(err.Error(), "plug-in reports: the file of devices cannot be read") {
					t.Errorf("without its file: %v", err)
				}
				if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err == nil || !strings.Contains(err.Error(), "cannot be read") {
					t.Errorf("without its file: %v", err)
				}
			}
			src.Close()
			// Close kills a process after a second: that it exits by itself can be seen only without Close.
			ctx, cancel := context.WithTimeout(ctx, time.Minute)
			defer cancel()
			if out, err := exec.CommandContext(ctx, path, tc.file).CombinedOutput(); err != nil {
				t.Errorf("it did not end with its stdin: %v\n%s", err, out)
			}
		})
	}
}

// The lines in the manual (plugins.md) are those that are written and understood.
func TestDocumentedLines(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../../../cmd/dcs/doc/plugins.md")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(b)) {
		for _, arrow := range []string{"→ ", "← "} {
			if s, ok := strings.CutPrefix(line, arrow); ok {
				n++
				if !json.Valid([]byte(s)) {
					t.Errorf("not JSON: %s", s)
				}
				if strings.Contains(arrow, "→") && !strings.Contains(ours, s) {
					t.Errorf("we do not write %s", s)
				}
			}
		}
	}
	if n < 12 {
		t.Errorf("%d lines found", n)
	}
	dir := t.TempDir()
	src := script(t, hello+`n=0
while IFS= read -r line; do
  printf '%s\n' "$line" >>lines
  case $line in '{"id":'*) n=$((n+1)); echo '{"id":'$n',"found":false}';; '{"list"'*) echo '{"end":true}';; esac
done`, func(c *plugin.Config) { c.Dir = dir })
	names := open(t, src)
	if got, err := load(src, names); err != nil || got != nil {
		t.Errorf("%v, %q", err, got)
	}
	for _, q := range []struct {
		mac device.MAC
		ip  string
	}{{mac(1), "192.0.2.1"}, {mac(9), ""}, {device.MAC{}, "192.0.2.7"}} {
		ip, _ := netip.ParseAddr(q.ip)
		if _, _, err := src.Ask(ctx, q.mac, ip); err != nil {
			t.Error(err)
		}
	}
	got, err := os.ReadFile(filepath.Join(dir, "lines"))
	if err != nil || string(got) != ours {
		t.Errorf("%v, wrote\n%s", err, got)
	}
}

const ours = `{"hello":1}
{"list":true}
{"id":1,"mac":"00:00:5e:00:53:01","ip":"192.0.2.1"}
{"id":2,"mac":"00:00:5e:00:53:09"}
{"id":3,"ip":"192.0.2.7"}
`

func TestValues(t *testing.T) {
	t.Parallel()
	var warned lineLog
	src := script(t, hello+`read hello; read list
echo '{"mac":"0a:01:02:03:04:05","ip":"::ffff:10.1.2.3","attrs":{"a":"t\u00e4xt","b":12.50}}'
echo '{"mac":"0A01.0203.0406","attrs":{"a":true,"b":false}}'
echo '{"mac":"0a-01-02-03-04-07","attrs":{"a":null,"b":""}, "new key": {"x": [1]}}'
echo '{"ip":"2001:db8::1"}'
echo '{"mac":"0a0102030408","attrs":{"a":123456789012345678901234567890,"b":"x","c":"not of the hello"}}'
echo '{"mac":"0a:01:02:03:04:0g","attrs":{}}'
echo '{"ip":"10.1.2","attrs":{}}'
echo '{"mac":"00:00:00:00:00:00","ip":"10.1.2.4","attrs":{"a":"x"}}'
echo '{"attrs":{"a":"x"}}'
echo '{"mac":"0a0102030409","attrs":{"a":["x"]}}'
echo '{"end":true,"count":10}'
read more`, func(c *plugin.Config) { c.Warn = func(err error) { warned.add(err.Error()) } })
	names := open(t, src)
	got, err := load(src, names)
	want := []string{" 2001:db8::1", "0a0102030405 10.1.2.3 a=täxt b=12.50", "0a0102030406 a=1 b=0", "0a0102030407", "0a0102030408 a=123456789012345678901234567890 b=x"}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v, got %q, want %q", err, got, want)
	}
	if r := src.(attr.Rejecter).Rejected(); r.Rows != 5 || len(r.First) != 5 || !strings.Contains(strings.Join(r.First, "\n"), "00:00:00:00:00:00 is all zeros") {
		t.Errorf("rejected %+v", r)
	}
	if w := warned.all(); len(w) != 1 || !strings.Contains(w[0], "attribute c is not in the hello") {
		t.Errorf("warned %q", w)
	}
}

// Each fault of a plug-in ends in an error within bounds, and the next process works.
func TestBad(t *testing.T) {
	t.Parallel()
	const devices = `echo '{"mac":"0a0000000001","attrs":{"a":"x"}}'; `
	for _, tc := range []struct {
		name, script string
		change       func(*plugin.Config)
		open, load   string // what the error says
	}{
		{"no such program", "", func(c *plugin.Config) { c.Argv = []string{"/no/such/program"} }, "no such file", ""},
		{"ends at once", "exit 3", nil, "exit status 3", ""},
		{"no hello", "echo hi; sleep 60", nil, "in: hi", ""},
		{"another hello", `echo '{"hello":2}'; sleep 60`, nil, "first line is not", ""},
		{"hello twice named", `echo '{"hello":1,"attributes":["a","a"]}'; sleep 60`, nil, "empty or not unique", ""},
		{"silent", "sleep 60", func(c *plugin.Config) { c.StartTimeout = 100 * time.Millisecond }, "no hello: context deadline exceeded", ""},
		{"cannot list", `echo '{"hello":1,"attributes":["a"]}'; read l; read l`, nil, "", "unsupported operation"},
		{"dies in a list", hello + "read l; read l; " + devices + "kill -9 $$", nil, "", "after 1 devices: process ended: signal: killed"},
		{"ends in a list", hello + "read l; read l; " + devices + "exit 0", nil, "", "after 1 devices: process ended: exit status 0"},
		{"half a line", hello + `read l; read l; printf '{"end":true'; exit 0`, nil, "", "incomplete last line"},
		{"wrong count", hello + `read h; while read l; do ` + devices + `echo '{"end":true,"count":2}'; done`, nil, "", "1 devices received, its count is 2"},
		{"an error", hello + `read h; while read l; do ` + devices + `printf '{"error":"no\\u001b[31m luck"}\n'; done`, nil, "", "plug-in reports: no\ufffd[31m luck"},
		{"hangs in a list", hello + "read l; read l; " + devices + "sleep 60", func(c *plugin.Config) { c.Timeout = 200 * time.Millisecond }, "", "nothing for 200ms"},
		{"garbage in a list", hello + "read l; read l; while :; do echo garbage; done", nil, "", "101 invalid lines"},
		{"no garbage is allowed", hello + "read l; read l; echo '[]'; sleep 60", func(c *plugin.Config) { c.MaxGarbage = -1 }, "", "1 invalid lines"},
		{"a long line", hello + "read l; read l; while :; do printf xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx; done", nil, "", "line longer than 1048576 octets: xxx"},
		{"a flood of devices", hello + "read l; read l; while :; do " + devices + "done", func(c *plugin.Config) { c.MaxDevices = 1000 }, "", "more than 1000 devices"},
		{"no usable device", hello + `read h; while read l; do echo '{"mac":"x"}'; echo '{"end":true}'; done`, nil, "", "1 of 1"},
		{"closes its output", hello + "read l; read l; exec >&-; sleep 60", nil, "", "output closed"},
		{"does not read", hello + "sleep 60", func(c *plugin.Config) { c.Timeout = 200 * time.Millisecond }, "", "nothing for 200ms"},
		{"ends by an ignored signal", "trap '' TERM INT HUP; " + hello + "read l; read l; exec >&-; while :; do sleep 1; done", nil, "", "output closed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			src := script(t, tc.script, tc.change)
			begin := time.Now()
			names, err := src.Open(ctx)
			if tc.open != "" {
				if err == nil || !strings.Contains(err.Error(), tc.open) {
					t.Errorf("open: %v, want %q", err, tc.open)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for range 2 { // the second time by a process that was started anew
				if got, err := load(src, names); err == nil || !strings.Contains(err.Error(), tc.load) {
					t.Errorf("load: %v, %q; want %q", err, got, tc.load)
				}
			}
			if d := time.Since(begin); d > 20*time.Second {
				t.Errorf("it took %v", d)
			}
			src.Close()
		})
	}
}

func TestAsk(t *testing.T) {
	t.Parallel()
	t.Run("out of order and late", func(t *testing.T) {
		t.Parallel()
		dir := t.TempDir()
		src := script(t, hello+`read h; read a; >first; read b; >second; read c
echo '{"id":3,"attrs":{"a":"three"}}'; echo '{"id":2,"mac":"00005e005302","attrs":{"a":"two"}}'; echo '{"id":99,"found":false}'
echo '{"id":1,"attrs":{"a":"one"}}'; read l; echo '{"id":4}'; read l`, func(c *plugin.Config) { c.Dir = dir })
		names := open(t, src)
		taken := func(file string) {
			t.Helper()
			eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, file)); return err == nil })
		}
		got := make(chan string, 3)
		ask := func(ctx context.Context, n byte) {
			d, found, err := src.Ask(ctx, mac(n), netip.Addr{})
			got <- fmt.Sprint(text(names, &d), found, err)
		}
		short, late := context.WithCancelCause(ctx)
		go ask(short, 1)
		taken("first")
		late(context.DeadlineExceeded)
		if s := <-got; !strings.HasSuffix(s, "false p: ask: context deadline exceeded") {
			t.Error(s)
		}
		go ask(ctx, 2)
		taken("second")
		go ask(ctx, 3)
		all := []string{<-got, <-got}
		slices.Sort(all)
		if want := []string{"00005e005302 a=twotrue <nil>", "00005e005303 a=threetrue <nil>"}; !slices.Equal(all, want) {
			t.Errorf("%q", all)
		}
		if _, _, err := src.Ask(ctx, mac(4), netip.Addr{}); err == nil || !strings.Contains(err.Error(), "neither attrs nor") {
			t.Errorf("%v", err)
		}
	})
	t.Run("during a list", func(t *testing.T) {
		t.Parallel()
		src := script(t, hello+`read h; read l; echo '{"mac":"0a0000000001"}'; read q; echo '{"id":1,"attrs":{"a":"x"}}'; echo '{"end":true}'; read l`, nil)
		names := open(t, src)
		err := src.Load(ctx, func(*attr.Device) error {
			d, found, err := src.Ask(ctx, mac(1), netip.Addr{})
			if err != nil || !found || text(names, &d) != "00005e005301 a=x" {
				t.Errorf("%v, %v", err, found)
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
	t.Run("hangs", func(t *testing.T) {
		t.Parallel()
		src := script(t, hello+"while read l; do :; done", func(c *plugin.Config) { c.Timeout = time.Second })
		open(t, src)
		short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
		defer cancel()
		if _, _, err := src.Ask(short, mac(1), netip.Addr{}); !errors.Is(err, context.DeadlineExceeded) || strings.Contains(err.Error(), "no answer and no output") {
			t.Errorf("%v", err)
		}
		if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err == nil || !strings.Contains(err.Error(), "no answer and no output for 1s") {
			t.Errorf("%v", err)
		}
	})
	t.Run("too many", func(t *testing.T) {
		t.Parallel()
		src := script(t, hello+"sleep 60", nil)
		open(t, src)
		gone, cancel := context.WithCancel(ctx)
		cancel()
		var last error
		for range 1100 {
			_, _, last = src.Ask(gone, mac(1), netip.Addr{})
		}
		if last == nil || !strings.Contains(last.Error(), "1024 answers are pending") {
			t.Errorf("%v", last)
		}
	})
	t.Run("not asked", func(t *testing.T) {
		t.Parallel()
		src := script(t, `echo '{"hello":1,"list":true}'; read l; read l`, nil)
		open(t, src)
		if _, found, err := src.Ask(ctx, mac(1), netip.Addr{}); found || err != nil {
			t.Errorf("%v, %v", found, err)
		}
	})
	t.Run("down", func(t *testing.T) {
		t.Parallel()
		src := script(t, "[ ! -e second ] || sleep 60; touch second; "+hello+"read h; read l; exit 5", func(c *plugin.Config) { c.StartTimeout = 300 * time.Millisecond })
		if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err == nil {
			t.Error("asked before Open")
		}
		open(t, src)
		for _, want := range []string{"exit status 5", "not running"} {
			if _, _, err := src.Ask(ctx, mac(1), netip.Addr{}); err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		}
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		if err := src.Load(short, nil); err == nil || !strings.Contains(err.Error(), "no hello") {
			t.Errorf("%v", err)
		}
	})
}

func TestOtherAttributes(t *testing.T) {
	t.Parallel()
	src := script(t, `if [ -e second ]; then echo '{"hello":1,"attributes":["b","a"],"list":true,"ask":true}'; else touch second; `+hello+`fi
read h; read l; case $l in *list*) echo '{"mac":"0a0000000001","attrs":{"a":"x"}}'; echo '{"end":true}';; esac`, nil)
	names := open(t, src)
	if got, err := load(src, names); err != nil || len(got) != 1 {
		t.Fatalf("%v, %q", err, got)
	}
	var err error
	for limit := time.Now().Add(30 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		if _, err = load(src, names); errors.Is(err, attr.ErrColumns) {
			break
		}
	}
	if !errors.Is(err, attr.ErrColumns) {
		t.Errorf("a list with other attributes: %v; want ErrColumns", err)
	}
	if names = open(t, src); !slices.Equal(names, []string{"b", "a"}) {
		t.Errorf("%q", names)
	}
	if got, err := load(src, names); err != nil || !slices.Equal(got, []string{"0a0000000001 a=x"}) {
		t.Errorf("%v, %q", err, got)
	}
}

func TestStoppedByYield(t *testing.T) {
	t.Parallel()
	src := script(t, hello+`while read -r l; do case $l in *list*) while :; do echo '{"mac":"0a0000000001"}'; done;; esac; done`, nil)
	open(t, src)
	stop := errors.New("stop")
	for range 3 {
		if err := src.Load(ctx, func(*attr.Device) error { return stop }); err != stop {
			t.Errorf("%v", err)
		}
	}
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	if err := src.Load(short, func(*attr.Device) error { return nil }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

func TestNew(t *testing.T) {
	for _, cfg := range []plugin.Config{{}, {Argv: []string{""}}, {Argv: []string{"x"}, Timeout: -1}, {Argv: []string{"x"}, MaxLine: 10}} {
		if _, err := plugin.New(cfg); err == nil {
			t.Errorf("%+v was taken", cfg)
		}
	}
	src, err := plugin.New(plugin.Config{Argv: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, follows := src.(attr.Follower); follows {
		t.Error("it follows although it tells of no changes")
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
}
