package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"dcs/bench/require"
)

const boundFleet = `mac,ip,profile,down
02:00:00:00:00:01,127.0.0.11,gold,50
02:00:00:00:00:02,127.0.0.12,bronze,
02:00:00:00:00:03,fd00::3,gold,50
02:00:00:00:00:04,,bronze,
`

// getFrom fetches a page from an address of our own, and returns its status.
func getFrom(t *testing.T, from, url, forwarded string) int {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Timeout: 30 * time.Second}
	client := &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext, DisableKeepAlives: true}, Timeout: 30 * time.Second}
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	if forwarded != "" {
		req.Header.Set("X-Forwarded-For", forwarded)
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	_, _ = io.Copy(io.Discard, res.Body)
	return res.StatusCode
}

// TestBind asks in every way in for devices that are there, that are elsewhere, and that nobody knows.
func TestBind(t *testing.T) {
	t.Parallel()
	require.Long(t, "a server for each way to be known")
	const proxy = "127.0.0.9"
	type way struct {
		what string
		six  bool // its devices may have IPv6 addresses
		ask  func(p *process, web, mac, from string) string
	}
	tftpError := func(_ []byte, err error) string {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	status := func(code int) string {
		switch code {
		case http.StatusOK:
			return ""
		case http.StatusForbidden:
			return "ERROR 2"
		}
		return fmt.Sprint("status ", code)
	}
	digits := strings.NewReplacer(":", "")
	ways := []way{
		{"name", false, func(p *process, _, mac, from string) string {
			return tftpError(modem{from: from}.get(p.port, "flat.cm@"+mac))
		}},
		{"group of a pattern", false, func(p *process, _, mac, from string) string {
			return tftpError(modem{from: from}.get(p.port, "any-"+digits.Replace(mac)+".cfg"))
		}},
		{"option", false, func(p *process, _, mac, from string) string {
			return tftpError(modem{from, []string{"hwaddr", mac}}.get(p.port, "flat.cm"))
		}},
		{"name, netaddr of a proxy", true, func(p *process, _, mac, from string) string {
			return tftpError(modem{proxy, []string{"netaddr", from}}.get(p.port, "flat.cm@"+mac))
		}},
		{"hwaddr and netaddr of a proxy", true, func(p *process, _, mac, from string) string {
			return tftpError(modem{proxy, []string{"hwaddr", mac, "netaddr", from}}.get(p.port, "flat.cm"))
		}},
		{"HTTP", false, func(_ *process, web, mac, from string) string {
			return status(getFrom(t, from, "http://"+web+"/boot/flat.cm@"+mac, ""))
		}},
		{"HTTP, X-Forwarded-For", true, func(_ *process, web, mac, from string) string {
			return status(getFrom(t, proxy, "http://"+web+"/boot/flat.cm@"+mac, from))
		}},
		{"HTTP, X-Forwarded-For of a stranger", false, func(_ *process, web, mac, from string) string {
			return status(getFrom(t, from, "http://"+web+"/boot/flat.cm@"+mac, "127.0.0.11"))
		}},
	}
	cases := []struct {
		what, mac, from, want, other string
	}{
		{"its own address", "02:00:00:00:00:01", "127.0.0.11", "", ""},
		{"another's address", "02:00:00:00:00:01", "127.0.0.12", "elsewhere", "02:00:00:00:00:02"},
		{"an unknown address", "02:00:00:00:00:01", "127.0.0.13", "elsewhere", ""},
		{"no address in its record, unknown address", "02:00:00:00:00:04", "127.0.0.13", "", ""},
		{"no address in its record, another's address", "02:00:00:00:00:04", "127.0.0.12", "others_address", "02:00:00:00:00:02"},
		{"unknown device", "02:00:00:00:00:99", "127.0.0.13", "", ""},
		{"unknown device, another's address", "02:00:00:00:00:99", "127.0.0.12", "others_address", "02:00:00:00:00:02"},
		{"its own IPv6 address", "02:00:00:00:00:03", "fd00::3", "", ""},
		{"another IPv6 address", "02:00:00:00:00:03", "fd00::33", "elsewhere", ""},
		{"another's IPv6 address", "02:00:00:00:00:04", "fd00::3", "others_address", "02:00:00:00:00:03"},
		{"IPv6, its record has an IPv4 address", "02:00:00:00:00:01", "fd00::33", "", ""},
	}
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\nproxies: ["+proxy+"]\nlog_requests: all\n", map[string]string{
		"fleet.csv":       boundFleet,
		"library/any.dcs": "Main ~ \"^any-(?P<mac>[0-9a-f]{12})\\.cfg$\" { MaxCPE 2; }\n",
	}))
	config := filepath.Join(dir, "dcs.yaml")
	for _, bind := range []string{"off", "log", "refuse"} {
		web, counts := freeAddress(t), freeAddress(t)
		p := serve(t, "--config", config, "--bind", bind, "--http", web, "--metrics", counts)
		p.await(" devices=4 took=") // loaded, or unchanged
		for _, w := range ways {
			for _, tt := range cases {
				if strings.Contains(tt.from, ":") && !w.six {
					continue
				}
				what := fmt.Sprintf("bind: %s: %s: %s", bind, w.what, tt.what)
				result := map[string]string{"log": "logged", "refuse": "refused"}[bind]
				metric := fmt.Sprintf("dcs_identity_mismatches_total{reason=%q,result=%q}", tt.want, result)
				_, text := get("http://" + counts + "/metrics")
				before := samples(t, text)
				want := ""
				if tt.want != "" && bind == "refuse" {
					want = "ERROR 2"
				}
				if got := w.ask(p, web, tt.mac, tt.from); got != want {
					t.Errorf("%s: %q, want %q", what, got, want)
				}
				_, text = get("http://" + counts + "/metrics")
				after := samples(t, text)
				if tt.want == "" || bind == "off" {
					if n := sum(after, "dcs_identity_mismatches_total") - sum(before, "dcs_identity_mismatches_total"); n != 0 {
						t.Errorf("%s: %v mismatches were counted", what, n)
					}
				} else if n := after[metric] - before[metric]; n != 1 {
					t.Errorf("%s: %v counted as %s", what, n, metric)
				}
			}
		}
		if bind != "off" {
			p.await("level=WARN msg=\"request did not come from the device's recorded address\" name=flat.cm@02:00:00:00:00:01 client=127.0.0.12 " +
				"mac=02:00:00:00:00:01 reason=elsewhere refused=" + fmt.Sprint(bind == "refuse") + " other_mac=02:00:00:00:00:02 address=127.0.0.11")
		}
		if err := p.stop(syscall.SIGINT); err != nil {
			t.Error(err)
		}
	}
}

// TestBindAtOnce changes both keys while the server runs.
func TestBindAtOnce(t *testing.T) {
	t.Parallel()
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\n", map[string]string{"fleet.csv": boundFleet}))
	config := filepath.Join(dir, "dcs.yaml")
	p := serve(t, "--config", config)
	p.await("devices loaded")
	neighbour := modem{from: "127.0.0.12"}
	if _, err := neighbour.get(p.port, "modem.cm@020000000001"); err != nil {
		t.Errorf("by default: %v", err)
	}
	for _, step := range []struct{ more, want, err string }{
		{"bind: refuse\n", "a refusal", "ERROR 2"},
		{"bind: off\nmac_in_name: off\n", "an unknown name", "ERROR 1"},
		{"", "the file", ""},
	} {
		text := withDevices("devices: [{csv: fleet.csv}]\n"+step.more, nil)["dcs.yaml"]
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := p.cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		eventually(t, step.want, func() bool {
			_, err := neighbour.get(p.port, "modem.cm@020000000001")
			return err == nil && step.err == "" || err != nil && err.Error() == step.err
		})
	}
}

// TestExplainBind tells an operator what the server would do, and why.
func TestExplainBind(t *testing.T) {
	dir := deviceFiles(t, withDevices("devices: [{csv: fleet.csv}]\nbind: refuse\n", map[string]string{"fleet.csv": boundFleet}))
	config := filepath.Join(dir, "dcs.yaml")
	for ip, want := range map[string]struct {
		status   int
		out, err string
	}{
		"127.0.0.11": {done, "MaxCPE 50;", ""},
		"0.0.0.0":    {done, "MaxCPE 50;", ""}, // nobody says where it comes from
		"127.0.0.12": {failed, "identity  elsewhere: request did not come from the device's recorded address, 02:00:00:00:00:02\n", "flat.cm: request did not come from the device's recorded address\n"},
	} {
		got := dcs("", "explain", "flat.cm@020000000001", "--config", config, "--ip", ip)
		if got.status != want.status || !strings.Contains(got.stdout, want.out) || !strings.HasSuffix(got.stderr, want.err) {
			t.Errorf("%s: status %d\n%s%s", ip, got.status, got.stdout, got.stderr)
		}
	}
}

// TestClones sees a device behind two CMTSes, which the keyring tells apart by their names in the fleet.
func TestClones(t *testing.T) {
	t.Parallel()
	dir := deviceFiles(t, map[string]string{
		"dcs.yaml":        "library: library\nsecrets: secrets.yaml\nlisten: [\"127.0.0.1:0\"]\n",
		"library/any.dcs": "Main ~ \"^any-(?P<mac>[0-9a-f]{12})\\.cfg$\" { MaxCPE 2; }\n",
		"secrets.yaml":    "default: main\nsecrets:\n  main: {text: right}\nfleet: fleet.yaml\nprefixes: {127.3.0.0/16: main}\n",
		"fleet.yaml": "- {name: north, address: 192.0.2.1, driver: cisco, prefixes: [127.1.0.0/16, 127.4.0.0/16]}\n" +
			"- {name: south, address: 192.0.2.2, driver: cisco, prefixes: [127.2.0.0/16]}\n",
	})
	counts := freeAddress(t)
	p := serve(t, "--config", filepath.Join(dir, "dcs.yaml"), "--bind", "refuse", "--metrics", counts)
	const metric = `dcs_identity_mismatches_total{reason="two_cmts",result="logged"}`
	for _, step := range []struct {
		from   string
		clones float64 // so far
	}{
		{"127.1.0.1", 0},
		{"127.1.0.2", 0}, // the same CMTS
		{"127.4.0.1", 0}, // another prefix of it
		{"127.0.0.1", 0}, // no CMTS
		{"127.2.0.1", 1},
		{"127.2.0.1", 1},
		{"127.3.0.1", 2},
	} {
		if _, err := (modem{from: step.from}).get(p.port, "any-020000000001.cfg"); err != nil {
			t.Errorf("from %s: %v", step.from, err)
		}
		_, text := get("http://" + counts + "/metrics")
		if n := samples(t, text)[metric]; n != step.clones {
			t.Errorf("from %s: %v clones, want %v", step.from, n, step.clones)
		}
	}
	p.await("level=WARN msg=\"device seen behind two CMTSes within a minute\" name=any-020000000001.cfg client=127.2.0.1 mac=02:00:00:00:00:01 reason=two_cmts refused=false")
}
