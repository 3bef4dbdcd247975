package config

import (
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"
)

func TestDefault(t *testing.T) {
	got := Default()
	want := Config{
		Listen:        []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:69"), netip.MustParseAddrPort("[::]:69")},
		Transport:     Auto,
		Rate:          2000,
		RatePrefixV4:  32,
		RatePrefixV6:  64,
		Transfers:     65536,
		Retries:       5,
		MaxWindowsize: 16,
		Options:       []string{"blksize", "timeout", "tsize", "windowsize"},
		StaleAfter:    4 * time.Second,
		ReceiveBuffer: 32 << 20,
		Drain:         5 * time.Second,
		Sandbox:       SandboxAuto,
		Names:         Names{Backslash: true},
		Devices:       Devices{Bind: BindLog, MACInName: true},
		LogFormat:     LogText,
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// The shipped example holds every key at its default and nothing else.
func TestExample(t *testing.T) {
	const file = "../../dcs/packaging/dcs.yaml"
	src, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var got Config // the zero value, so that a key which is missing shows
	if err := got.Load(file); err != nil {
		t.Fatal(err)
	}
	if want := Default(); !reflect.DeepEqual(got, want) {
		t.Errorf("example says %+v\ndefaults are %+v", got, want)
	}
	for _, k := range new(Config).Keys() {
		if !strings.Contains(string(src), "\n"+k.Name+": ") {
			t.Errorf("%s is not in the example", k.Name)
		}
		for line := range strings.SplitSeq(k.Doc, "\n") {
			if len(line) > 78 {
				t.Errorf("%s: a line of its text has %d characters", k.Name, len(line))
			}
		}
	}
}

func TestParse(t *testing.T) {
	tests := []struct {
		name, src string
		want      func(c *Config)
	}{
		{"empty", "", func(*Config) {}},
		{"comment only", "# nothing\n", func(*Config) {}},
		{"list", "listen: [\"127.0.0.1:6969\", '[::1]:6969']", func(c *Config) {
			c.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:6969"), netip.MustParseAddrPort("[::1]:6969")}
		}},
		{"block list", "listen:\n  - 127.0.0.1:6969\n", func(c *Config) {
			c.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:6969")}
		}},
		{"list of one", "library: /srv/lib", func(c *Config) { c.Library = []string{"/srv/lib"} }},
		{"relative path", "library: [lib, ../x]", func(c *Config) { c.Library = []string{"/etc/dcs/lib", "/etc/x"} }},
		{"on", "lenient: on\ntimestamp: true\nsingle_port: On", func(c *Config) {
			c.Lenient, c.Timestamp, c.SinglePort = true, true, true
		}},
		{"off", "lenient: off\nmodem_address: false", func(*Config) {}},
		{"sizes", "receive_buffer: 512k", func(c *Config) { c.ReceiveBuffer = 512 << 10 }},
		{"plain size", "receive_buffer: 65536", func(c *Config) { c.ReceiveBuffer = 65536 }},
		{"durations", "stale_after: 0s\ndrain: 1m30s", func(c *Config) { c.StaleAfter, c.Drain = 0, 90*time.Second }},
		{"ports", "tid_ports: 30000-30999", func(c *Config) { c.TIDPorts = PortRange{30000, 30999} }},
		{"options", "options: [tsize, blksize]", func(c *Config) { c.Options = []string{"tsize", "blksize"} }},
		{"no options", "options: []", func(c *Config) { c.Options = nil }},
		{"a block size", "max_blksize: 8192", func(c *Config) { c.MaxBlksize = 8192 }},
		{"a window", "max_windowsize: 1", func(c *Config) { c.MaxWindowsize = 1 }},
		{"one port", "tid_ports: 30000", func(c *Config) { c.TIDPorts = PortRange{30000, 30000} }},
		{"DSCP", "dscp: 46", func(c *Config) { c.DSCP = DSCP{Value: 46} }},
		{"DSCP's name", "dscp: AF41", func(c *Config) { c.DSCP = DSCP{Value: 34} }},
		{"DSCP of the request", "dscp: mirror", func(c *Config) { c.DSCP = DSCP{Mirror: true} }},
		{"no DSCP", "dscp: ''", func(*Config) {}},
		{"transport", "transport: xdp\ninterface: eth0.5", func(c *Config) { c.Transport, c.Interfaces = XDP, []string{"eth0.5"} }},
		{"busy polling", "busy_poll: on", func(c *Config) { c.BusyPoll = true }},
		{"prefixes", "allow: [10.0.0.0/8, 'fd00::/8', 192.0.2.1, '::/0']", func(c *Config) {
			c.Allow = []netip.Prefix{
				netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8"),
				netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("::/0"),
			}
		}},
		{"rate", "rate: 0.5\nrate_burst: 7", func(c *Config) { c.Rate, c.RateBurst = 0.5, 7 }},
		{"whole rate", "rate: 10", func(c *Config) { c.Rate = 10 }},
		{"rules left out", "lint_allow: [nm-open, bpi-off]", func(c *Config) { c.LintAllow = []string{"nm-open", "bpi-off"} }},
		{"service classes", "service_classes: [gold, up 5]", func(c *Config) { c.ServiceClasses = []string{"gold", "up 5"} }},
		{"names", "mib_prefer: [CLAB-DEF-MIB]", func(c *Config) { c.MIBPrefer = []string{"CLAB-DEF-MIB"} }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, want := Default(), Default()
			tt.want(&want)
			if err := got.parse("/etc/dcs/dcs.yaml", []byte(tt.src)); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
}

func TestParseErrors(t *testing.T) {
	tests := []struct {
		name, src string
		want      []string // the error's lines
	}{
		{"a rule that cannot be left out", "lint_allow: [source]", []string{`f.yaml:1:14: lint_allow: "source" is no rule that can be left out; dcs check --rules lists them`}},
		{"no such rule", "lint_allow: [nm-opne]", []string{`f.yaml:1:14: lint_allow: "nm-opne" is no rule that can be left out; dcs check --rules lists them`}},
		{"a long class", "service_classes: [sixteen-letters!]", []string{`f.yaml:1:19: service_classes: "sixteen-letters!" is not a name of 1 to 15 characters`}},
		{"unknown key", "worker: 2", []string{`f.yaml:1:1: unknown key "worker"; did you mean "workers"?`}},
		{"dashes", "secret-file: x", []string{`f.yaml:1:1: unknown key "secret-file"; did you mean "secret_file"?`}},
		{"far key", "colour: red", []string{`f.yaml:1:1: unknown key "colour"`}},
		{"all of them", "workers: many\nliberary: x\nretries: 1000\n", []string{
			`f.yaml:1:10: workers: unexpected text "many"; expected a number, 0 to 1024, as in "workers: 0"`,
			`f.yaml:2:1: unknown key "liberary"; did you mean "library"?`,
			`f.yaml:3:10: retries: 1000 is not a number, 1 to 100`,
		}},
		{"quoted number", `workers: "2"`, []string{
			`f.yaml:1:10: workers: unexpected text "2"; expected a number, 0 to 1024, as in "workers: 0"`,
		}},
		{"number for a path", "secret_file: 7", []string{
			`f.yaml:1:14: secret_file: unexpected number 7; expected a path; put it in quotes if it is a text`,
		}},
		{"block for a list", "library:\n  a: 1\n", []string{
			`f.yaml:2:3: library: unexpected block of settings; expected a list of paths`,
		}},
		{"list for a number", "workers: [1]", []string{
			`f.yaml:1:10: workers: unexpected list; expected a number, 0 to 1024, as in "workers: 0"`,
		}},
		{"list in a list", "library: [a, [b]]", []string{
			`f.yaml:1:14: library: unexpected list; expected a list of paths`,
		}},
		{"no value", "workers:\n", []string{
			`f.yaml:1:1: workers: missing value; expected a number, 0 to 1024, as in "workers: 0"`,
		}},
		{"unit", "drain: 5", []string{
			`f.yaml:1:8: drain: 5 is not a duration such as 4s or 500ms, 0s to 10m0s`,
		}},
		{"switch", "lenient: maybe", []string{`f.yaml:1:10: lenient: maybe is neither on nor off`}},
		{"listen", "listen: [\"0.0.0.0\"]", []string{
			`f.yaml:1:10: listen: 0.0.0.0 is not an address and port such as 0.0.0.0:69 or [::]:69`,
		}},
		{"size", "receive_buffer: 2G", []string{
			`f.yaml:1:17: receive_buffer: 2G is not a size such as 512k or 8M, 4k to 1024M`,
		}},
		{"an option", "options: [multicast]", []string{`f.yaml:1:11: options: multicast is not an option; use some of blksize, timeout, tsize, windowsize`}},
		{"ports", "tid_ports: 9-8", []string{`f.yaml:1:12: tid_ports: 9-8 is not a range of ports such as 30000-30999`}},
		{"DSCP", "dscp: 64", []string{`f.yaml:1:7: dscp: 64 is not a DSCP; use 0 to 63, cs0 to cs7, af11 to af43, ef, va, le, or mirror`}},
		{"bind", "bind: on", []string{`f.yaml:1:7: bind: on is not off, log or refuse`}},
		{"transport", "transport: udp", []string{`f.yaml:1:12: transport: udp is not a transport; use auto, xdp or socket`}},
		{"interface", "interface: a/b", []string{`f.yaml:1:12: interface: "a/b" is not the name of a network interface`}},
		{"prefix", "allow: [ten, 10.1.2.3/8, '::ffff:10.0.0.0/104']", []string{
			`f.yaml:1:9: allow: ten is not a prefix such as 10.0.0.0/8 or fd00::/8`,
			`f.yaml:1:14: allow: 10.1.2.3/8 has host bits set; write 10.0.0.0/8 or 10.1.2.3`,
			`f.yaml:1:26: allow: ::ffff:10.0.0.0/104 is an IPv4-mapped prefix; write it as an IPv4 prefix`,
		}},
		{"rate", "rate: 0.1\nrate_burst: -1", []string{
			`f.yaml:1:7: rate: 0.1 requests per second is out of range; use 0 or 0.25 to 1e+06`,
			`f.yaml:2:13: rate_burst: -1 is not a number, 0 to 1048576`,
		}},
		{"rate as a text", "rate: fast", []string{
			`f.yaml:1:7: rate: unexpected text "fast"; expected requests per second, 0 or 0.25 to 1e+06, as in "rate: 2000"`,
		}},
		{"empty path", `library: [""]`, []string{`f.yaml:1:11: library: empty path`}},
		{"twice", "workers: 1\nworkers: 2\n", []string{`f.yaml:2:1: mapping key "workers" already defined at [1:1]`}},
		{"number for a text", "library: [0123, 1.50]\nstatic: true", []string{
			`f.yaml:1:11: library: unexpected number 0123; expected a list of paths; put it in quotes if it is a text`,
			`f.yaml:1:17: library: unexpected number 1.50; expected a list of paths; put it in quotes if it is a text`,
			`f.yaml:2:9: static: unexpected true; expected a list of directories, each a path or a block such as "{dir: /srv/tftp, resign: on}"; put it in quotes if it is a text`,
		}},
		{"tab", "static: a\tb", []string{`f.yaml:1:9: tab in an unquoted text; put the text in quotes`}},
		{"not UTF-8", "workers: 1\nstatic: caf\xe9", []string{
			`f.yaml:2:12: not UTF-8; save the file as UTF-8`,
		}},
		{"no mapping", "hello", []string{
			`f.yaml:1:1: unexpected text "hello"; expected settings such as "library: [/etc/dcs/library]"`,
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			err := c.parse("f.yaml", []byte(tt.src))
			if err == nil {
				t.Fatal("no error")
			}
			if got, want := err.Error(), strings.Join(tt.want, "\n"); got != want {
				t.Errorf("got\n%s\nwant\n%s", got, want)
			}
		})
	}
}

// A file that is no YAML gets an error with its place, whatever it holds.
func TestParseSyntax(t *testing.T) {
	for _, src := range []string{"a: [1", "a: b: c", "\t- x", "listen: [::]:69", "a: \"x"} {
		c := Default()
		err := c.parse("f.yaml", []byte(src))
		if err == nil || !strings.HasPrefix(err.Error(), "f.yaml:1:") {
			t.Errorf("%q: %v", src, err)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		name string
		set  func(c *Config)
		want string // part of the error, or empty
	}{
		{"library", func(c *Config) { c.Library = []string{"x"} }, ""},
		{"static", func(c *Config) { c.Static = []string{"x"} }, ""},
		{"neither", func(*Config) {}, "nothing to serve"},
		{"deaf", func(c *Config) { c.Static, c.Listen = []string{"x"}, nil }, "listen: no address"},
		{"twice", func(c *Config) { c.Static, c.Listen = []string{"x"}, append(c.Listen, c.Listen[0]) }, "listen: 0.0.0.0:69 is listed twice"},
		{"few ports", func(c *Config) {
			c.Static, c.Workers, c.TIDPorts = []string{"x"}, 3, PortRange{30000, 30001}
		}, "tid_ports: 30000-30001 is 2 ports for 3 workers; each needs at least 2"},
		{"one port too few", func(c *Config) {
			c.Static, c.Workers, c.TIDPorts = []string{"x"}, 3, PortRange{30000, 30004}
		}, "tid_ports: 30000-30004 is 5 ports for 3 workers; each needs at least 2"},
		{"ports enough", func(c *Config) {
			c.Static, c.Workers, c.TIDPorts = []string{"x"}, 3, PortRange{30000, 30005}
		}, ""},
		{"busy polling over sockets", func(c *Config) {
			c.Static, c.BusyPoll, c.Transport = []string{"x"}, true, Socket
		}, "busy_poll has no effect"},
		{"single port", func(c *Config) {
			c.Static, c.SinglePort, c.TIDPorts = []string{"x"}, true, PortRange{30000, 30001}
		}, "tid_ports has no effect"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			tt.set(&c)
			err := c.Validate()
			if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

func TestFlags(t *testing.T) {
	file := filepath.Join(t.TempDir(), "dcs.yaml")
	if err := os.WriteFile(file, []byte("library: /a\nstatic: /b\nworkers: 3\nlenient: on\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
	flags := AddFlags(fs)
	args := []string{
		"--listen", "127.0.0.1:6969,[::1]:6969", "--library", "lib", "--library=more",
		"--timestamp", "--lenient=off", "--drain", "1s", "--receive-buffer=1M",
	}
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	got, err := flags.Config(file)
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Listen = []netip.AddrPort{netip.MustParseAddrPort("127.0.0.1:6969"), netip.MustParseAddrPort("[::1]:6969")}
	want.Library = []string{"lib", "more"} // instead of the file's; relative to where the command runs
	want.Static = []string{"/b"}
	want.Workers = 3
	want.Timestamp = true
	want.Drain = time.Second
	want.ReceiveBuffer = 1 << 20
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestFlagErrors(t *testing.T) {
	for _, tt := range []struct{ arg, want string }{
		{"--workers=many", "many is not a number, 0 to 1024"},
		{"--listen=:69", ":69 is not an address and port"},
		{"--transport=udp", "not a transport"},
		{"--rate=-1", "-1 requests per second"},
		{"--lenient=maybe", "neither on nor off"},
	} {
		fs := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		AddFlags(fs)
		if err := fs.Parse([]string{tt.arg}); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v", tt.arg, err)
		}
	}
}

func TestOperate(t *testing.T) {
	for _, tt := range []struct{ key, value, want string }{
		{"metrics", "127.0.0.1:9100", ""},
		{"metrics", "'[::1]:9100'", ""},
		{"metrics", "':9100'", ""},
		{"metrics", "localhost:9100", "not an address and port"},
		{"http", "'9100'", "not an address and port"},
		{"log_format", "json", ""},
		{"log_format", "xml", "use text or json"},
		{"log_level", "WARN", ""},
		{"log_level", "loud", "use debug, info, warn or error"},
		{"log_requests", "1/1000", ""},
		{"log_requests", "all", ""},
		{"log_requests", "2/3", "not a share"},
		{"log_requests", "1/0", "not a share"},
		{"log_devices", "[0a0102030405, 10.0.0.0/8, 'fd00::1']", ""},
		{"log_devices", "modem", "not a MAC address"},
		{"http_cert", "a.pem", "without http"},
		{"http_key", "{http: ':8080', http_key: a.pem}", "must both be set"},
	} {
		c := Default()
		src := tt.key + ": " + tt.value + "\n"
		if strings.HasPrefix(tt.value, "{") {
			src = strings.ReplaceAll(strings.Trim(tt.value, "{}"), ", ", "\n") + "\n"
		}
		err := c.parse("x", []byte(src+"static: x\n"))
		if err == nil {
			err = c.Validate()
		}
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", src, err)
		case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want %s", src, err, tt.want)
		}
	}
	c := Default()
	if err := c.parse("x", []byte("log_requests: 1/1000\nmetrics: ':9100'\nlog_devices: 0A-01-02-03-04-05\n")); err != nil || c.LogRequests != 1000 || c.Metrics != "[::]:9100" || c.LogDevices[0] != "0a:01:02:03:04:05" {
		t.Errorf("%v: %+v", err, c)
	}
}

func TestDifferences(t *testing.T) {
	a, b := Default(), Default()
	if got := a.Differences(&b); got != nil {
		t.Errorf("the defaults differ in %v", got)
	}
	if err := b.parse("b.yaml", []byte("rate: 2\nlibrary: [x, y]\ndevices: [csv: d.csv]\nsingle_port: on\nadmin: unix:/x\n")); err != nil {
		t.Fatal(err)
	}
	if got, want := a.Differences(&b), []string{"rate", "single_port", "library", "devices", "admin"}; !slices.Equal(got, want) {
		t.Errorf("the keys %v differ, want %v", got, want)
	}
	if got := b.Differences(&b); got != nil {
		t.Errorf("one and the same differ in %v", got)
	}
}

// The key admin takes addresses and sockets, whose paths begin at the file; an empty text is no address.
func TestAdminAddresses(t *testing.T) {
	for _, tt := range []struct {
		yaml string
		want []string
		err  string
	}{
		{`admin: ""`, nil, ""},
		{`admin: []`, nil, ""},
		{`admin: 127.0.0.1:8069`, []string{"127.0.0.1:8069"}, ""},
		{`admin: [":8069", unix:/run/dcs/admin.sock, "unix:admin.sock"]`, []string{":8069", "unix:/run/dcs/admin.sock", "unix:/etc/dcs/admin.sock"}, ""},
		{`admin: [127.0.0.1:8069, 127.0.0.1:8069]`, nil, "127.0.0.1:8069 is listed twice"},
		{`admin: [unix:/etc/dcs/a, unix:a]`, nil, "unix:/etc/dcs/a is listed twice"},
		{`admin: [unix:]`, nil, "without the path of a socket"},
		{`admin: [8069]`, nil, "admin"},
		{`admin: localhost`, nil, "localhost is neither an address and port"},
	} {
		c := Default()
		err := c.parse("/etc/dcs/dcs.yaml", []byte("library: x\n"+tt.yaml+"\n"))
		switch {
		case tt.err == "" && (err != nil || !slices.Equal(c.Admin, tt.want)):
			t.Errorf("%s: %q, %v", tt.yaml, c.Admin, err)
		case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
			t.Errorf("%s: %v, want %s", tt.yaml, err, tt.err)
		}
	}
}
