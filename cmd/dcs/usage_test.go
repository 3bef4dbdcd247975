package main

import (
	"net"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dcs/cmd/internal/cli"
)

// Whatever is wrong with a command line, of whichever verb, the exit status is 2 and the error names the help.
func TestUsage(t *testing.T) {
	// A wrong value of every flag that takes no text, and a flag that does not exist, for every verb there is.
	var lines [][]string
	var visit func(cmd *cobra.Command, path []string)
	visit = func(cmd *cobra.Command, path []string) {
		line := func(more ...string) { lines = append(lines, append(slices.Clone(path), more...)) }
		line("--no-such-flag")
		for _, f := range flagsOf(cmd) {
			switch f.Value.Type() {
			case "int", "duration", "float64", "uint16", "number", "size", "on|off", "auto|xdp|socket", "text|json":
				line("--" + f.Name + "=x")
			case "bool":
				line("--" + f.Name + "=perhaps")
			}
		}
		if cmd.HasSubCommands() {
			line()
			line("no-such-verb")
			line("no-such-verb", "--config", "x")
		} else if cmd.Args != nil && !strings.Contains(cmd.Use, "…") {
			line("one", "two", "three", "four")
		}
		for _, verb := range cmd.Commands() {
			visit(verb, append(slices.Clone(path), verb.Name()))
		}
	}
	root := rootCommand(cli.Env{})
	visit(root, nil)
	// What only the verb itself can see.
	lines = append(lines, [][]string{
		{"check", "--library", "lib", "--devices", "--offline"},
		{"compile"},
		{"compile", "a", "--mac", "x"},
		{"compile", "a", "--ip", "x"},
		{"compile", "a", "--time", "yesterday"},
		{"compile", "a", "--mta-hash", "md4"},
		{"compile", "a", "--set", "novalue"},
		{"compile", "a", "b"},
		{"capture"},
		{"capture", "-o", "x", "--duration", "0s"},
		{"decode"},
		{"devices", "build"},
		{"devices", "build", "-o", "x", "--csv", "y", "--comma", "ab"},
		{"devices", "get", "x", "neither"},
		{"explain"},
		{"explain", "x"}, // nothing says what to serve
		{"get", "host"},
		{"get", "127.0.0.1", "x", "--tries", "0"},
		{"get", "127.0.0.1", "x", "--timeout", "0s"},
		{"get", "127.0.0.1", "x", "--windowsize", "65536"},
		{"get", "127.0.0.1", "x", "--decode", "-o", "y"},
		{"secret", "rotate", "--secrets", "x"}, // nobody can confirm
		{"secret", "rotate", "--secrets", "x", "--yes", "--drain", "25h"},
		{"secret", "resume", "--secrets", "x", "--drain", "-1s"},
		{"secret", "status"},
		{"secret", "status", "--secrets", "x", "--parallel", "0"},
		{"serve"},
		{"storm"},
		{"storm", "127.0.0.1", "--check=maybe", "--count", "1"},
		{"storm", "127.0.0.1", "--scenario", "no-such-scenario"},
		{"storm", "127.0.0.1", "--scenario", "power-cut", "--count", "1"},
		{"top", "--interval", "1h"},
	}...)
	for _, args := range lines {
		got := dcs("", args...)
		if got.status != misuse || got.stdout != "" || strings.Count(got.stderr, "\n") != 2 || !strings.Contains(got.stderr, `See "dcs`) {
			t.Errorf("%q: %+v", args, got)
		}
	}
	if len(lines) < 150 {
		t.Errorf("only %d command lines were tried", len(lines))
	}
}

func TestUnknownVerb(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"chekc"}, `dcs: unknown verb "chekc"; did you mean check?`},
		{[]string{"chekc", "--config", "x"}, `dcs: unknown verb "chekc"; did you mean check?`},
		{[]string{"secret", "rotat"}, `dcs secret: unknown verb "rotat"; did you mean rotate?`},
		{[]string{"device"}, `dcs: unknown verb "device"; did you mean devices?`},
		{[]string{"devices", "frobnicate"}, `dcs devices: unknown verb "frobnicate": want build, get, reload or stat`},
	} {
		if got := dcs("", tt.args...); got.status != misuse || !strings.HasPrefix(got.stderr, tt.want+"\n") {
			t.Errorf("%q: %+v, want %q", tt.args, got, tt.want)
		}
	}
}

// check, explain and serve read the installed configuration where nothing else says what there is to serve.
func TestStandardConfig(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "dcs.yaml")
	other := filepath.Join(dir, "other")
	lay(t, map[string]string{
		file: "library: lib\nlisten: 127.0.0.1:0\ntransport: socket\n", filepath.Join(dir, "lib", "gold.dcs"): "Main { NetworkAccess 1; ClassOfService { ClassID 1; } }\n",
		filepath.Join(other, "silver.dcs"): "Main { NetworkAccess 1; }\n",
	})

	installed := func(standard string, args ...string) result {
		return dcsWith(cli.Env{StandardConfig: standard}, args...)
	}
	if got := installed(file, "check", "--no-host"); got.status != done || !strings.Contains(got.stdout, "\nok: 1 templates, 0 static files\n") {
		t.Errorf("check: %+v", got)
	}
	if got := installed(file, "explain", "gold.cm"); got.status != done || !strings.Contains(got.stdout, "NetworkAccess 1;") {
		t.Errorf("explain: %+v", got)
	}
	// What the command line says to serve goes before it.
	for name, status := range map[string]int{"silver.cm": done, "gold.cm": failed} {
		if got := installed(file, "explain", name, "--library", other); got.status != status {
			t.Errorf("explain %s --library: %+v", name, got)
		}
	}
	for _, verb := range [][]string{{"check"}, {"explain", "gold.cm"}, {"serve"}} {
		got := installed(filepath.Join(dir, "none"), verb...)
		if got.status != misuse || !strings.Contains(got.stderr, "no configuration: /etc/dcs/dcs.yaml does not exist; give --config FILE, --library DIR or --static DIR") {
			t.Errorf("%v: %+v", verb, got)
		}
	}
}

// A port that nobody listens on is told from a server that says nothing.
func TestGetClosedPort(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1"} {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.ParseIP(host)})
		if err != nil {
			t.Fatal(err)
		}
		at := conn.LocalAddr().String()
		if got := dcs("", "get", at, "x", "--timeout", "10ms", "--tries", "2"); got.status != failed || !strings.Contains(got.stderr, "no answer to 2 requests in 20ms") {
			t.Errorf("a silent server: %+v", got)
		}
		conn.Close()
		if got := dcs("", "get", at, "x"); got.status != failed || !strings.Contains(got.stderr, "x from "+at+": port closed: no TFTP server listens there\n") {
			t.Errorf("a closed port: %+v", got)
		}
	}
}

// The shell is offered values where a flag or an argument has a few, files where it names one, and nothing for a number.
func TestCompletion(t *testing.T) {
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"serve", "--transport", ""}, "auto\nxdp\nsocket\n:4\n"},
		{[]string{"serve", "--log-level", ""}, "debug\ninfo\nwarn\nerror\n:4\n"},
		{[]string{"serve", "--workers", ""}, ":4\n"},
		{[]string{"serve", "--config", ""}, ":0\n"},
		{[]string{"compile", "--mta-hash", ""}, "na\neu\nietf\nnone\n:4\n"},
		{[]string{"storm", "127.0.0.1", "--check="}, "off\nstructure\nfull\n:4\n"},
		{[]string{"get", "127.0.0.1", ""}, ":4\n"},
		{[]string{"decode", ""}, ":0\n"},
	} {
		if got := dcs("", append([]string{"__complete"}, tt.args...)...); got.status != done || got.stdout != tt.want {
			t.Errorf("%q: %+v, want %q", tt.args, got, tt.want)
		}
	}
	if got := dcs("", "__complete", "storm", "127.0.0.1", "--scenario", ""); !strings.Contains(got.stdout, "power-cut\t") {
		t.Errorf("scenarios: %+v", got)
	}
}

func flagsOf(cmd *cobra.Command) []*pflag.Flag {
	var all []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "version" {
			all = append(all, f)
		}
	})
	return all
}

// A command line that is nearly right is answered with the right one.
func TestUsageAdvice(t *testing.T) {
	for _, tt := range []struct{ line, want string }{
		{"check --confg x", "unknown flag: --confg; did you mean --config?"},
		{"storm 127.0.0.1 --no-such-flag", "unknown flag: --no-such-flag\n"},
		{"check dcs.yaml", `unexpected argument "dcs.yaml"; did you mean --config dcs.yaml?`},
		{"explain", "missing argument: want NAME"},
		{"explain a b", `unexpected argument "b": want NAME`},
		{"get host", "missing argument: want HOST[:PORT] NAME"},
	} {
		if got := dcs("", strings.Fields(tt.line)...); got.status != misuse || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: %+v", tt.line, got)
		}
	}
}

// An error that has no position in a file stands behind the name of its verb, whichever that is.
func TestErrorsNameTheVerb(t *testing.T) {
	none := filepath.Join(t.TempDir(), "none")
	for _, args := range [][]string{
		{"capture", "--admin", "unix:" + none, "-o", none},
		{"check", "--config", none},
		{"compile", none},
		{"decode", none},
		{"devices", "build", "-o", none + ".out", "--csv", none},
		{"devices", "reload", "--admin", "unix:" + none},
		{"explain", "gold.cm", "--config", none},
		{"get", "127.0.0.1:1", "gold.cm", "-o", none + "/x"},
		{"reload", "--admin", "unix:" + none},
		{"secret", "status", "--config", none},
		{"serve", "--config", none},
		{"top", "unix:" + none},
	} {
		r := dcs("", args...)
		verb := args[0]
		if verb == "devices" || verb == "secret" {
			verb += " " + args[1]
		}
		lines := strings.Split(strings.TrimSpace(r.stderr), "\n")
		if last := lines[len(lines)-1]; r.status != failed || !strings.HasPrefix(last, "dcs "+verb+": ") {
			t.Errorf("%v: %+v", args, r)
		}
	}
}
