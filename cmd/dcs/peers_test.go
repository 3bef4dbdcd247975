package main

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/require"
	"dcs/fastpath/tftp"
)

// publicTree writes files that every server may read, each holding its own name, and returns the directory.
func publicTree(t *testing.T, names ...string) string {
	t.Helper()
	root := t.TempDir()
	for _, name := range names {
		path := filepath.Join(root, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name+"\n"), 0o644); err != nil { //nolint:gosec // in.tftpd and dnsmasq serve no others
			t.Fatal(err)
		}
	}
	return root
}

// tftpServers are servers in a lab, by port.
type tftpServers struct {
	lab   *netlab.Lab
	ports map[string]int
}

// peerServers starts dnsmasq, in.tftpd and dcs over one directory.
func peerServers(t *testing.T, root, remap string, dcsArgs ...string) *tftpServers {
	t.Helper()
	require.Program(t, "dnsmasq")
	require.Program(t, "in.tftpd")
	lab := netlab.ForTest(t, netlab.Config{})
	s := &tftpServers{lab, map[string]int{"dnsmasq": 69, "tftpd-hpa": 6970, "dcs": 6971}}
	hpa := []string{"-L", "-4", "-p", "-s", "-u", "root", "-a", "0.0.0.0:6970"}
	if remap != "" {
		hpa = append(hpa, "-m", remap)
	}
	for _, cmd := range []*exec.Cmd{
		exec.Command("dnsmasq", "--keep-in-foreground", "--conf-file=/dev/null", "--port=0", "--user=root", "--pid-file=", "--enable-tftp", "--tftp-root="+root),
		exec.Command("in.tftpd", append(hpa, root)...),
	} {
		if err := lab.Server.Start(cmd); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			_ = cmd.Process.Kill() // the lab ends it else
			_ = cmd.Wait()
		})
	}
	labServe(t, lab, append([]string{"--transport", "socket", "--listen", "0.0.0.0:6971", "--static", root}, dcsArgs...)...)
	for name := range s.ports {
		eventually(t, name+" answers", func() bool { return s.ask(t, name, request("there"), 200*time.Millisecond) != silence })
	}
	return s
}

const silence = "silence"

func request(name string) string { return "\x00\x01" + name + "\x00octet\x00" }

// ask sends a request to one of the servers, and returns the first answer: the body of DATA, the options of an OACK, "ERROR", or silence.
func (s *tftpServers) ask(t *testing.T, server, packet string, patience time.Duration) (answer string) {
	t.Helper()
	err := s.lab.Load.Do(func() error {
		c, err := net.ListenUDP("udp4", nil)
		if err != nil {
			return err
		}
		defer c.Close()
		to := &net.UDPAddr{IP: net.IP(netlab.ServerAddr4.AsSlice()), Port: s.ports[server]}
		if _, err := c.WriteTo([]byte(packet), to); err != nil {
			return err
		}
		_ = c.SetReadDeadline(time.Now().Add(patience)) // of an open socket
		buf := make([]byte, 2000)
		n, from, err := c.ReadFrom(buf)
		if errors.Is(err, os.ErrDeadlineExceeded) {
			answer = silence
			return nil
		}
		if err != nil {
			return err
		}
		switch b := buf[:n]; tftp.Opcode(b) {
		case tftp.OpDATA:
			answer = "DATA " + string(b[4:])
		case tftp.OpOACK:
			answer = fmt.Sprintf("OACK %q", b[2:])
		case tftp.OpERROR:
			answer = "ERROR"
			return nil
		default:
			return fmt.Errorf("answer % x", b)
		}
		_, err = c.WriteTo(tftp.AppendERROR(nil, tftp.CodeUndefined, "enough"), from)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// Every name and request that dnsmasq or tftpd-hpa answers is answered alike, unless we refuse it by choice.
func TestAsPeers(t *testing.T) {
	t.Parallel()
	root := publicTree(t, "there", "cm/gold.bin", "cm/eu/silver.bin", "UPPER.BIN")
	s := peerServers(t, root, "")
	const answer = 20 * time.Second
	for _, tt := range []struct {
		name   string
		choice bool // we refuse what a peer serves
	}{
		{name: "there"},
		{name: "///there"},
		{name: "././there"},
		{name: "/./there"},
		{name: `\there`},
		{name: `\\there`},
		{name: `.\there`},
		{name: "cm/gold.bin"},
		{name: "/cm///gold.bin"},
		{name: "cm/././gold.bin"},
		{name: `cm\gold.bin`},
		{name: `\cm\eu/silver.bin`},
		{name: `cm\\eu\.\silver.bin`},
		{name: root + "/there"},
		{name: root + "//cm/./gold.bin"},
		{name: root[1:] + "/there"},
		{name: "UPPER.BIN"},
		{name: "upper.bin"},
		{name: "There"},
		{name: "there "},
		{name: " there"},
		{name: "there/"},
		{name: "there/."},
		{name: "cm"},
		{name: "cm/"},
		{name: "."},
		{name: "/"},
		{name: "..."},
		{name: ".there"},
		{name: "there%00"},
		{name: "cm/../there", choice: true}, // tftpd-hpa follows it
		{name: "../there", choice: true},    // it stays in its root
		{name: "cm/eu/../../../etc/passwd"},
		{name: `..\..\etc\passwd`},
		{name: "/etc/passwd"},
	} {
		got := s.ask(t, "dcs", request(tt.name), answer)
		want := "ERROR"
		for _, peer := range []string{"dnsmasq", "tftpd-hpa"} {
			if a := s.ask(t, peer, request(tt.name), answer); strings.HasPrefix(a, "DATA") {
				want = a
			}
		}
		switch {
		case tt.choice && got != "ERROR":
			t.Errorf("%q, which we refuse, got %q", tt.name, got)
		case !tt.choice && got != want:
			t.Errorf("%q got %q, and a peer answers %q", tt.name, got, want)
		}
	}
	compared := 0
	for _, tt := range []struct{ name, packet string }{
		{"an option twice", request("there") + "tsize\x000\x00tsize\x000\x00"},
		{"twice with two values", request("there") + "blksize\x00512\x00blksize\x001024\x00"},
		{"thirty unknown options", request("there") + strings.Repeat("some\x00thing\x00", 30)},
		{"a name without a value", request("there") + "tsize\x00"},
		{"a name without its NUL", request("there") + "tsize"},
		{"an empty value", request("there") + "tsize\x00\x00"},
		{"an empty name", request("there") + "\x00512\x00"},
		{"padding", request("there") + "\x00\x00\x00\x00"},
		{"garbage behind padding", request("there") + "tsize\x000\x00\x00\x01\x02\x03"},
		{"a value without its NUL", request("there") + "blksize\x00512\x00tsize\x000"},
		{"mode in capitals", "\x00\x01there\x00OCTET\x00"},
	} {
		got := s.ask(t, "dcs", tt.packet, answer)
		served := false
		for _, peer := range []string{"dnsmasq", "tftpd-hpa"} {
			if a := s.ask(t, peer, tt.packet, answer); strings.HasPrefix(a, "DATA") || strings.HasPrefix(a, "OACK") {
				served = true
			}
		}
		if served {
			compared++
		}
		if served && got != "DATA there\n" && !strings.HasPrefix(got, "OACK") {
			t.Errorf("%s: got %q, and a peer answers", tt.name, got)
		}
	}
	if compared < 8 {
		t.Errorf("a peer answers %d of these requests", compared)
	}
}

// The rules that check writes from a map file do what tftpd-hpa does with the file.
func TestRemapAsTftpdHPA(t *testing.T) {
	t.Parallel()
	root := publicTree(
		t, "there", "tftpboot/gold.cm", "tftpboot/7/ab", "tftpboot/UP.txt", "tftpboot/low.txt", "tftpboot/x@y", "tftpboot/ok.cfg", "tftpboot/secret.pvt", "tftpboot/a b",
		"tftpboot/]", "tftpboot/$1", "tftpboot/q.bin", "tftpboot/aaa", "tftpboot/site.txt",
	)
	file := filepath.Join(t.TempDir(), "remap")
	write(t, file, `# what a site has grown over the years
ri	^[a-z]:                                     # drive letters
rg	\\	/
rg	\#	@
rg	_	\	# a blank
r	^[^/]	/tftpboot/\0
rg	//	/
e	^/tftpboot/ok
r	^/tftpboot/(.*)\.cfg$	/tftpboot/\1.cm
r	^(/tftpboot/)old/([a-z]+)-([0-9]{1,3})$	\1\3/\2
ri	^/tftpboot/up/(.*)$	/tftpboot/\U\1\E.txt
r	^/tftpboot/low/(.*)$	/tftpboot/\L\1.txt
r	/[]\[]$	/]
r	dollar$	$1
rG	\.b[[:digit:]]+$	.bin
rP	^.*$	/nothing
r	/(a{,3}b|b+)$	/aaa
re	^/tftpboot/(site|nowhere)$	\0.txt
r	\.txt$	.gone
a	\.pvt$
~a	^/tftpboot/
`)
	check := dcs("", "check", "--remap", file)
	if check.status != done {
		t.Fatalf("check: %+v", check)
	}
	conf := filepath.Join(t.TempDir(), "dcs.yaml")
	write(t, conf, check.stdout)
	s := peerServers(t, root, file, "--config", conf)
	served := 0
	for _, name := range []string{
		"there", "/there", "gold.cm", "gold.cfg", "/tftpboot/gold.cfg", `C:\tftpboot\gold.cfg`, `c:gold.cm`, "//tftpboot//gold.cm", "old/ab-7", "old/ab-1234", "OLD/ab-7",
		"up/up", "UP/up", "low/LOW", "low/low", "x#y", "ok.cfg", "secret.pvt", "a_b", "]", "[", `\]`, "dollar", "q.b123", "q.b", "aab", "b", "bbb", "aaaab", "site", "nowhere",
		"site.txt", "UP.txt", "low.txt", "/tftpboot/site", "tftpboot/gold.cm", "/gold.cm", "_", "gold.cm/", "z:",
	} {
		want, got := s.ask(t, "tftpd-hpa", request(name), 20*time.Second), s.ask(t, "dcs", request(name), 20*time.Second)
		if got != want {
			t.Errorf("%q: got %q, tftpd-hpa answers %q", name, got, want)
		}
		if strings.HasPrefix(got, "DATA") {
			served++
		}
	}
	if served < 15 {
		t.Errorf("only %d names got a file", served)
	}
}
