package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/netlab"
)

// romSays begins what the scripts print, for the test to find it on the console.
const romSays = "dcs: "

// A romStep is what a ROM is told to do, in the language of iPXE's scripts, and what it prints then.
type romStep struct{ do, says string }

// chained has a ROM run a file, which prints its own name and whom it is for.
func chained(uri, says string) romStep { return romStep{"chain --autofree " + uri, says} }

// romRefused is what the script prints where a step fails.
const romRefused = "refused"

// mine is what the file of a name says that was rendered for the ROM.
func (l romLink) mine(name string) string {
	return fmt.Sprintf("%s for %s of %s", name, l.lease(), l.four)
}

// steps are what a ROM does on a link. What it fetches by a relative URI stands beside the script.
func (l romLink) steps() []romStep {
	v4, v6 := "tftp://"+l.four.String(), "tftp://["+l.six.String()+"]"
	modem := len(dcs(romModem, "compile", "-").stdout)
	return []romStep{
		chained("boot/start", l.mine("boot/start")),
		chained("/boot/start", l.mine("boot/start")),
		chained(v4+"/boot/start", l.mine("boot/start")),
		chained(v4+"//boot/start", l.mine("boot/start")),
		chained(v4+"///boot/start", l.mine("boot/start")),
		chained(v4+"/boot/mac@${net0/mac}", l.mine("boot/mac")+" mac "+romMAC),
		chained(v4+"/boot/mac@${net0/mac:hexhyp}", l.mine("boot/mac")+" mac "+romMAC),
		chained(v4+"/./boot/start", l.mine("boot/start")),
		chained(v4+"//boot//start", l.mine("boot/start")),
		chained(v4+`/boot\start`, l.mine("boot/start")),
		chained(v4+`/\boot\start`, l.mine("boot/start")),
		chained("/static", "as it is"),
		chained("/sub/static", "as it is, too"),
		chained("/long", "whole"), // many blocks
		{"imgfetch --name dcs: " + v4 + "/m.cm && imgstat", fmt.Sprintf(": %d bytes [PXE-NBP]", modem)},
		chained("/none", romRefused),
		chained(v4+"/%2e%2e/static", romRefused),
		chained(v4+"/sub/%2e%2e/static", romRefused),
		chained(v4+`/..\static`, romRefused),
		{"imgfree", ""},
		{"ifconf --configurator ipv6 net0", ""},
		chained(v6+"/boot/start", fmt.Sprintf("boot/start for %s of %s", l.autoconf(), l.six)),
		chained(v6+"//sub/static", "as it is, too"),
		chained(v6+`/sub\static`, "as it is, too"),
		chained(v6+"/none", romRefused),
	}
}

// romNames are names as a DHCP server's configuration has them, which a ROM asks for as they are.
var romNames = []string{"boot/dhcp", "/boot/dhcp", "//boot/dhcp", "./boot/dhcp", "boot//dhcp", `\boot\dhcp`, `boot\dhcp`}

// romScript is the text of the file that the ROM is given first.
func romScript(steps []romStep) string {
	var b strings.Builder
	b.WriteString("#!ipxe\n")
	for _, s := range steps {
		fmt.Fprintf(&b, "%s || echo %s%s\n", s.do, romSays, romRefused)
	}
	fmt.Fprintf(&b, "echo %send\necho\n", romSays) // a console may be a line behind
	return b.String()
}

// longScript adds up what stands on its lines, so that one that is missing, repeated or out of place is found. It is larger
// than many blocks.
func longScript() string {
	var b strings.Builder
	b.WriteString("#!ipxe\nset n:int32 0\n")
	total := 0
	for i := range 1500 {
		total += i % 7
		fmt.Fprintf(&b, "inc n %d%*s\n", i%7, i%13, "")
	}
	fmt.Fprintf(&b, "iseq ${n:int32} %d && echo %swhole || echo %sin parts: ${n:int32}\n", total, romSays, romSays)
	return b.String()
}

// romFiles writes what the ROM is served: the script as a static file, others, and templates.
func romFiles(t *testing.T, script string) (library, static string) {
	t.Helper()
	library, static = t.TempDir(), t.TempDir()
	if err := os.Mkdir(filepath.Join(static, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		static + "/script":     script,
		static + "/long":       longScript(),
		static + "/static":     "#!ipxe\necho " + romSays + "as it is\n",
		static + "/sub/static": "#!ipxe\necho " + romSays + "as it is, too\n",
		library + "/rom.dcs": `Text ~ "^boot/[a-z]+$" from "boot.tmpl"
			Text "boot/mac" from "mac.tmpl"
			` + strings.Replace(romModem, "Main", `Main "m.cm"`, 1),
		library + "/boot.tmpl": "#!ipxe\necho " + romSays + "$filename for $ip of $server\n",
		library + "/mac.tmpl":  "#!ipxe\necho " + romSays + "$filename for $ip of $server mac $mac\n",
	} {
		write(t, name, text)
	}
	return library, static
}

const romModem = `Main { NetworkAccess 1; MaxCPE 3; }`

// A boot ROM of qemu's, iPXE, is served by rendered files, static files and boot files under the names that ROMs send, over
// IPv4 and IPv6, by both transports: through a bridge and a wire, and on a tap that is the server's own.
func TestIPXE(t *testing.T) {
	for _, tt := range []struct {
		name, card string
		plug       func(*testing.T, *netlab.Lab) romLink
		args       []string
		xdp        bool
	}{
		{"wire by sockets", "e1000", bridgedROM, []string{"--transport", "socket"}, false},
		{"tap by sockets", "virtio-net-pci", tappedROM, []string{"--transport", "socket"}, false},
		{"wire by AF_XDP", "virtio-net-pci", bridgedROM, []string{"--transport", "xdp"}, true},
		{"tap as the server chooses", "virtio-net-pci", tappedROM, []string{"--interface", romTap}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			lab := netlab.ForTest(t, netlab.Config{})
			if err := ethtoolFlags(lab.Server, netlab.Device, 0, flagsVLAN); err != nil {
				t.Fatal(err)
			}
			link := tt.plug(t, lab)
			steps := link.steps()
			for i := range romNames {
				steps = append(steps, romStep{"set user-class " + romClass(i) + "\nautoboot net0", link.mine("boot/dhcp")})
			}
			library, static := romFiles(t, romScript(steps))
			socket := filepath.Join(t.TempDir(), "admin.sock")
			p := labServe(t, lab, append(tt.args, "--library", library, "--static", static, "--admin", "unix:"+socket)...)
			if tt.xdp {
				p.said("msg=serving", "transport=xdp", "mode=native", "interface="+link.device)
			} else {
				p.said("msg=serving", "transport=socket")
			}
			link.dhcp(t, lab, "/script", romNames)
			link.boot(t, tt.card).wants(t, steps)

			if n := steeredPackets(t, samples(t, getAt(t, socket, "/metrics"))); (n > 2*float64(len(steps))) != tt.xdp {
				t.Errorf("%v packets steered to AF_XDP", n)
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}

// wants waits until the ROM is through with its script, and compares what it has printed.
func (c *romConsole) wants(t *testing.T, steps []romStep) {
	t.Helper()
	eventually(t, "the ROM ends its script", func() bool {
		select {
		case <-c.ended:
			t.Fatal("the machine ended")
		default:
		}
		return strings.Contains(c.plain(), romSays+"end\n")
	})
	var got []string
	for line := range strings.Lines(c.plain()) {
		if says, ok := strings.CutPrefix(strings.TrimSpace(line), romSays); ok && says != "end" {
			got = append(got, says)
		}
	}
	for _, s := range steps {
		if s.says == "" {
			continue
		}
		if len(got) == 0 {
			t.Fatalf("%s: the ROM printed nothing, want %q", s.do, s.says)
		}
		if got[0] != s.says {
			t.Errorf("%s: the ROM printed %q, want %q", s.do, got[0], s.says)
		}
		got = got[1:]
	}
	if len(got) > 0 {
		t.Errorf("at the end the ROM printed %q", got)
	}
}
