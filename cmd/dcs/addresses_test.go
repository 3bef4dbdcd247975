package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
	"dcs/bench/require"
)

// setAddress adds an address to the server's device in a lab, or takes it away. IPv6 checks it for duplicates.
func setAddress(t *testing.T, lab *netlab.Lab, prefix string, there bool) {
	t.Helper()
	err := lab.Server.Do(func() error {
		link, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		a, err := netlink.ParseAddr(prefix)
		if err != nil {
			return err
		}
		if there {
			return netlink.AddrAdd(link, a)
		}
		return netlink.AddrDel(link, a)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// labGet asks the server by HTTP from its own end of the lab, and returns the status with the body.
func labGet(t *testing.T, lab *netlab.Lab, url string) (status, body string) {
	t.Helper()
	var out strings.Builder
	cmd := exec.Command("curl", "-s", "--noproxy", "*", "--max-time", "10", "-w", "\n%{http_code}", url)
	cmd.Stdout = &out
	if err := lab.Server.Run(cmd); err != nil {
		return "", err.Error()
	}
	text := out.String()
	end := strings.LastIndexByte(text, '\n')
	return text[end+1:], text[:end]
}

// An address that no interface has keeps nobody from starting. It is served when it comes, and when it comes again.
func TestListenBeforeAddress(t *testing.T) {
	t.Parallel()
	require.Program(t, "curl")
	for _, family := range []struct{ name, prefix, other string }{
		{"IPv4", "198.19.0.9/24", netlab.ServerAddr4.String()},
		{"IPv6", "fd00:198:19::9/64", netlab.ServerAddr6.String()},
	} {
		for _, transport := range []string{"socket", "xdp"} {
			t.Run(family.name+" "+transport, func(t *testing.T) {
				t.Parallel()
				lab := netlab.ForTest(t, netlab.Config{})
				if transport == "xdp" {
					tagsOnFrames(t, lab)
				}
				late := netip.MustParsePrefix(family.prefix).Addr().String()
				listen, boot, metrics := net.JoinHostPort(late, "69"), net.JoinHostPort(late, "80"), net.JoinHostPort(family.other, "9100")
				p := labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}), "--transport", transport, "--interface", netlab.Device,
					"--listen", listen, "--http", boot, "--metrics", metrics)
				p.said("level=WARN", "address missing on all interfaces", "key=listen", late)
				p.said("level=WARN", "address missing on all interfaces", "key=http", late)
				ready := func(want string, up float64) {
					t.Helper()
					eventually(t, "readyz says "+want, func() bool {
						code, _ := labGet(t, lab, "http://"+metrics+"/readyz")
						return code == want
					})
					_, text := labGet(t, lab, "http://"+metrics+"/metrics")
					m := samples(t, text)
					for name, want := range map[string]float64{
						"dcs_ready": up,
						fmt.Sprintf(`dcs_listen_address_up{address=%q,key="listen"}`, listen):   up,
						fmt.Sprintf(`dcs_listen_address_up{address=%q,key="http"}`, boot):       up,
						fmt.Sprintf(`dcs_listen_address_up{address=%q,key="metrics"}`, metrics): 1,
					} {
						if got, ok := m[name]; !ok || got != want {
							t.Errorf("%s is %v, want %v", name, got, want)
						}
					}
				}
				served := func() {
					t.Helper()
					eventually(t, "the address is served", func() bool {
						got, err := labFetch(t, lab, late, "x")
						return err == nil && got == "text"
					})
					ready("200", 1)
					if code, body := labGet(t, lab, "http://"+boot+"/boot/x"); code != "200" || body != "text" {
						t.Errorf("over HTTP: %s %q", code, body)
					}
				}
				ready("503", 0)
				setAddress(t, lab, family.prefix, true)
				served()
				p.said("address present", "key=listen", late)
				p.said("msg=serving", "transport="+transport)
				setAddress(t, lab, family.prefix, false)
				ready("503", 0)
				if transport == "socket" { // AF_XDP answers whatever frame still comes for the address
					wantSilence(t, lab, late, "x")
				}
				setAddress(t, lab, family.prefix, true)
				served()
				if err := p.stop(syscall.SIGTERM); err != nil {
					t.Error(err)
				}
			})
		}
	}
}

// One of two addresses is enough to be ready, and works whatever becomes of the other.
func TestListenOneAddress(t *testing.T) {
	t.Parallel()
	require.Program(t, "curl")
	lab := netlab.ForTest(t, netlab.Config{})
	here, metrics := netlab.ServerAddr4.String(), netlab.ServerAddr4.String()+":9100"
	labServe(t, lab, "--static", static(t, map[string]string{"x": "text"}), "--listen", here+":69,198.19.0.9:69", "--metrics", metrics)
	want(t, lab, here, "x", "text")
	if code, body := labGet(t, lab, "http://"+metrics+"/readyz"); code != "200" {
		t.Errorf("%s %s", code, body)
	}
	setAddress(t, lab, "198.19.0.9/24", true)
	want(t, lab, "198.19.0.9", "x", "text")
	want(t, lab, here, "x", "text")
}

// An address that somebody else uses for something keeps nobody from TFTP; it is taken as soon as it is free.
func TestServeBesideBusyAddress(t *testing.T) {
	t.Parallel()
	dir := static(t, map[string]string{"x": "text"})
	for _, key := range []string{"admin", "metrics", "http", "admin socket"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			network, address, value := "tcp", freeAddress(t), ""
			flag, socket := strings.CutSuffix(key, " socket")
			if value = address; socket {
				network, address = "unix", filepath.Join(t.TempDir(), "admin.sock")
				value = "unix:" + address
			}
			other, err := net.Listen(network, address)
			if err != nil {
				t.Fatal(err)
			}
			defer other.Close()
			p := serve(t, "--static", dir, "--"+flag, value)
			p.said("level=ERROR", "trying again", "key="+flag, address)
			if got := p.fetch("x"); got.stdout != "text" {
				t.Errorf("%+v", got)
			}
			other.Close()
			p.said("address opened", "key="+flag, address)
			client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				return (&net.Dialer{}).DialContext(ctx, network, address)
			}}}
			defer client.CloseIdleConnections()
			url := "http://127.0.0.1/readyz"
			if flag == "http" {
				url = "http://127.0.0.1/boot/x"
			}
			resp, err := client.Get(url)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if body, err := io.ReadAll(resp.Body); err != nil || resp.StatusCode != http.StatusOK {
				t.Errorf("%d %s, %v", resp.StatusCode, body, err)
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}

// While nobody can tell the server of a rotation, it looks for itself.
func TestSecretsWhileAdminIsBusy(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	library, secrets := filepath.Join(dir, "library"), filepath.Join(dir, "secrets.yaml")
	if err := os.Mkdir(library, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(library, "a.dcs"), "Main { NetworkAccess 1; }")
	ring := func(generation int, text string) {
		next := secrets + ".next"
		write(t, next, fmt.Sprintf("generation: %d\ndefault: main\nsecrets: {main: {text: %q}}\n", generation, text))
		if err := errors.Join(os.Chmod(next, 0o600), os.Rename(next, secrets)); err != nil {
			t.Fatal(err)
		}
	}
	ring(1, "the first")
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	p := serve(t, "--library", library, "--secrets", secrets, "--admin", other.Addr().String())
	before := p.fetch("a.cm").stdout
	ring(2, "the second")
	p.said("secrets changed", "generation=2")
	if after := p.fetch("a.cm").stdout; before == "" || after == before {
		t.Errorf("signed as before: %x", after)
	}
}
