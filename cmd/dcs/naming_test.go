package main

import (
	"net/url"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/fastpath/tftp"
)

// However a client writes a name, TFTP, HTTP and explain find one file; roots and rules change at SIGHUP.
func TestNamesOfRequests(t *testing.T) {
	t.Parallel()
	root := publicTree(t, "fw/Image.bin", "there")
	conf := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, conf, "static: ["+root+"]\nignore_case: on\nroot: [/tftpboot]\nrewrite:\n  - {match: '^/old/(.*)\\.img$', to: 'fw/$1.bin'}\n  - {match: private, refuse: on}\n")
	s := serveAll(t, "--config", conf, "--static", root)
	answer := func(name string) string {
		_, _, b := s.ask(t, name)
		if tftp.Opcode(b) != tftp.OpDATA {
			return ""
		}
		return string(b[4:])
	}
	const image = "fw/Image.bin\n"
	for name, want := range map[string]string{
		"fw/image.bin": image, "FW//IMAGE.BIN": image, `\fw\image.bin@0:10:18:de:ad:1`: image, root + "/fw/image.bin": image, "/TftpBoot/there": "there\n",
		"/old/image.img": image, "/OLD/IMAGE.img": image, "fw/../there": "", "there/private": "", "there/": "",
	} {
		if got := answer(name); got != want {
			t.Errorf("TFTP %q: %q, want %q", name, got, want)
		}
		status, body := get("http://" + s.http + "/boot/" + (&url.URL{Path: name}).EscapedPath())
		if ok := status == 200; ok != (want != "") || ok && body != want {
			t.Errorf("HTTP %q: %d %q, want %q", name, status, body, want)
		}
		x := dcs("", "explain", name, "--config", conf)
		if (x.status == done) != (want != "") || want != "" && !strings.Contains(x.stdout, "static    "+filepath.Join(root, strings.TrimSpace(want))) {
			t.Errorf("explain %q: %+v", name, x)
		}
	}
	for name, want := range map[string]string{
		"/old/image.img": "asked     /old/image.img\nname      fw/image.bin\n", "fw/../there": "asked     fw/../there\n", "fw/image.bin": "name      fw/image.bin\n",
	} {
		if x := dcs("", "explain", name, "--config", conf); !strings.HasPrefix(x.stdout, want) {
			t.Errorf("explain %q says\n%swant\n%s", name, x.stdout, want)
		}
	}
	if x := dcs("", "explain", "x/../y", "--config", conf); !strings.Contains(x.stderr, `name contains ".."`) {
		t.Errorf("explain of a name that leads out: %+v", x)
	}

	write(t, conf, "static: ["+root+"]\nignore_case: off\nroot: [/new]\nrewrite: [{match: '^/older/', to: 'fw/'}]\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the new rules count", func() bool { return answer("/older/image.bin") == image })
	for name, want := range map[string]string{"/old/image.img": "", "/new/there": "there\n", "/tftpboot/there": "", "FW/IMAGE.bin": image} {
		if got := answer(name); got != want {
			t.Errorf("after SIGHUP, %q: %q, want %q", name, got, want)
		}
	}
	s.said("need a restart", "ignore_case")
	write(t, conf, "static: ["+root+"]\nrewrite: [{match: '(', to: x}]\n")
	if err := s.cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	s.said("dcs.yaml:2:", "missing closing )")
	if got := answer("/older/image.bin"); got != image {
		t.Errorf("a wrong rule has taken the others away: %q", got)
	}
}

// What is wrong with rules is told with its place.
func TestRewriteErrors(t *testing.T) {
	for _, tt := range []struct{ rewrite, want string }{
		{"{match: x, to: y}", "dcs.yaml:1:11: rewrite: unexpected block of settings; expected a list of rules"},
		{"[x]", `dcs.yaml:1:11: unexpected text "x"; expected a rule`},
		{"[{match: x}]", "dcs.yaml:1:12: rewrite: no effect; set to, last or refuse"},
		{"[{mach: x, to: y}]", `dcs.yaml:1:12: unknown key "mach"; did you mean "match"?`},
		{"[{match: '', to: y}]", "match: empty expression"},
		{"[{match: x, to: '$1'}]", "rewrite: to: no group $1 in the expression"},
		{"[{match: x, unless: y, last: on}]", "set either match or unless"},
		{"[{match: '/+', to: /, repeat: on}]", `dcs.yaml:1:12: rewrite: repeat never ends: match matches "/", which to inserts`},
		{"[{match: x, to: y, last: perhaps}]", "last: perhaps is neither on nor off"},
	} {
		conf := filepath.Join(t.TempDir(), "dcs.yaml")
		write(t, conf, "rewrite: "+tt.rewrite+"\nstatic: ["+t.TempDir()+"]\n")
		if got := dcs("", "check", "--config", conf); got.status != failed || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("%s: %+v\nwant …%s…", tt.rewrite, got, tt.want)
		}
	}
	if got := dcs("", "serve", "--static", t.TempDir(), "--root", "srv"); got.status != misuse || !strings.Contains(got.stderr, `"srv" is not an absolute path`) {
		t.Errorf("a root that is no path: %+v", got)
	}
	static := publicTree(t, "Image", "image")
	config := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, config, "static: "+static+"\nignore_case: on\n")
	if got := dcs("", "check", "--config", config); got.status != failed || !strings.Contains(got.stderr, `the name "image" is that of `+static+"/Image too") {
		t.Errorf("two names that become one: %+v", got)
	}
}

// A map file of tftpd-hpa becomes rules, and what cannot become one is told line by line.
func TestCheckRemap(t *testing.T) {
	got := dcs("# sites\nri ^[a-z]:\nrg \\\\ /\nr4 ^x y\nP ^w\nr ^it's(a|b)$ \\1\n", "check", "--remap", "-")
	want := result{
		failed,
		"rewrite:\n  - {match: '(?i)^[a-z]:', to: ''} # line 2\n  - {match: '\\\\', to: '/', repeat: on} # line 3\n  - {match: '^it''s(a|b)$', to: '$1'} # line 6\n",
		"-:4: no equivalent rule for \"r4 ^x y\": 4: rules cannot depend on the client's address; use $ip in a template\n" +
			"-:5: note: \"P ^w\" is left out: applies to write requests, which are always refused\n" +
			"-:6: note: \"r ^it's(a|b)$ \\\\1\": the first alternative that matches is used; tftpd-hpa uses the longest\n",
	}
	if got != want {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	if got := dcs("# nothing\n", "check", "--remap", "-"); got.status != done || got.stdout != "rewrite: []\n" {
		t.Errorf("no rules: %+v", got)
	}
	if got := dcs("", "check", "--remap", filepath.Join(t.TempDir(), "none")); got.status != failed || !strings.Contains(got.stderr, "no such file") {
		t.Errorf("no file: %+v", got)
	}
}

// A probe for the size is counted, and neither the log nor the page of failures has it.
func TestProbe(t *testing.T) {
	s := serveAll(t)
	c, from, answer := s.ask(t, "motd.txt\x00octet\x00tsize\x000\x00x")
	if tftp.Opcode(answer) != tftp.OpOACK {
		t.Fatalf("answer %q", answer)
	}
	if _, err := c.WriteTo(tftp.AppendERROR(nil, tftp.CodeOption, "User aborted the transfer"), from); err != nil {
		t.Fatal(err)
	}
	const line = `dcs_transfers_ended_total{result="probed"} 1` + "\n"
	eventually(t, line, func() bool { _, page := get("http://" + s.metrics + "/metrics"); return strings.Contains(page, line) })
	if n := s.count("file not delivered"); n != 0 {
		t.Errorf("the log has %d lines of it", n)
	}
}
