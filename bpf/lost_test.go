package bpf

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"dcs/bench/netlab"
)

func TestLost(t *testing.T) {
	for name, take := range map[string]func(*testing.T, *netlab.Lab, *Steer) (string, error){
		"detached": func(_ *testing.T, _ *netlab.Lab, s *Steer) (string, error) {
			return "detached by another process", s.programs[0].hook.link.Detach()
		},
		"exchanged": func(t *testing.T, _ *netlab.Lab, s *Steer) (string, error) {
			return "has replaced ours", s.programs[0].hook.link.Update(passAll(t))
		},
		"interface deleted": func(_ *testing.T, lab *netlab.Lab, _ *Steer) (string, error) {
			return "interface removed", lab.Server.Do(func() error {
				l, err := netlink.LinkByName(netlab.Device)
				if err != nil {
					return err
				}
				return netlink.LinkDel(l)
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			lab := netlab.ForTest(t, netlab.Config{})
			s, _ := attached(t, lab, labConfig(), Auto)
			select {
			case err := <-s.programs[0].Lost():
				t.Fatalf("nothing has happened: %v", err)
			case <-time.After(50 * time.Millisecond):
			}
			want, err := take(t, lab, s)
			if err != nil {
				t.Fatal(err)
			}
			select {
			case err := <-s.programs[0].Lost():
				if !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), netlab.Device) {
					t.Errorf("%v, want %q", err, want)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("no error reported")
			}
			if err := s.programs[0].Detach(); err != nil {
				t.Error(err)
			}
		})
	}
}

// Others cannot take a bpf_link's place by netlink, and the interface may go down and up.
func TestStaysAttached(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	s, _ := attached(t, lab, labConfig(), Auto)
	id := netlab.XDPOn(t, lab.Server)
	w, conn := newWire(t, lab), listen(t, lab.Server, lab4, 1)[0]
	err := lab.Server.Do(func() error {
		l, err := netlink.LinkByName(netlab.Device)
		if err != nil {
			return err
		}
		if err := netlink.LinkSetXdpFd(l, -1); err == nil {
			t.Error("detached by netlink")
		}
		return errors.Join(netlink.LinkSetDown(l), netlink.LinkSetUp(l))
	})
	if err != nil {
		t.Fatal(err)
	}
	until(t, "the carrier is back", func() (up bool) {
		if err := lab.Server.Do(func() error {
			l, err := netlink.LinkByName(netlab.Device)
			up = err == nil && l.Attrs().OperState == netlink.OperUp
			return err
		}); err != nil {
			t.Fatal(err)
		}
		return up
	})
	if now := netlab.XDPOn(t, lab.Server); now != id {
		t.Errorf("program %d, before %d", now, id)
	}
	before := s.stats(t)
	w.send(frame{source: netip.AddrPortFrom(netlab.LoadAddr4, 9), target: lab4, payload: rrq})
	if got := receive(t, conn, 1, 30*time.Second); len(got) != 1 {
		t.Error("nothing comes any more")
	}
	if got := s.stats(t)[PassSocket].Packets - before[PassSocket].Packets; got != 1 {
		t.Errorf("counted %d", got)
	}
	select {
	case err := <-s.programs[0].Lost():
		t.Error(err)
	default:
	}
}

const crashEnv = "DCS_TEST_ATTACH_AND_WAIT"

// TestAttachAndWait is the process that TestCrashDetaches kills.
func TestAttachAndWait(t *testing.T) {
	if os.Getenv(crashEnv) == "" {
		t.Skip("not a test: the process that TestCrashDetaches kills")
	}
	s, err := Load(labConfig())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.programs[0].Attach(netlab.Device, Auto); err != nil {
		t.Fatal(err)
	}
	fmt.Println("attached")
	time.Sleep(time.Minute) // until it is killed
}

func TestCrashDetaches(t *testing.T) {
	lab := netlab.ForTest(t, netlab.Config{})
	cmd := exec.Command(os.Args[0], "-test.run=^TestAttachAndWait$")
	cmd.Env = append(os.Environ(), crashEnv+"=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := lab.Server.Start(cmd); err != nil {
		t.Fatal(err)
	}
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "attached\n" {
		t.Errorf("the process said %q", line)
	}
	if netlab.XDPOn(t, lab.Server) == 0 {
		t.Error("not attached")
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	until(t, "the program is gone", func() bool { return netlab.XDPOn(t, lab.Server) == 0 })
}
