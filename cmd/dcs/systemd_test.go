package main

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"syscall"
	"testing"
	"time"
)

// systemd is told when the server serves, that it lives, that it reloads, and that it stops (sd_notify(3)).
func TestNotify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify")
	manager, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer manager.Close()
	var heard []string
	hear := func(pattern string) {
		t.Helper()
		want := regexp.MustCompile("^(" + pattern + ")$")
		heard = nil
		buf := make([]byte, 4096)
		for {
			if err := manager.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
				t.Fatal(err)
			}
			n, err := manager.Read(buf)
			if err != nil {
				t.Fatalf("%s was not told, but %q: %v", pattern, heard, err)
			}
			heard = append(heard, string(buf[:n]))
			if want.Match(buf[:n]) {
				return
			}
		}
	}
	cmd := exec.Command(binary(t), "serve", "--listen", "127.0.0.1:"+freePort(t), "--library", "../../testdata/library", "--drain", "1s")
	cmd.Env = append(os.Environ(), "NOTIFY_SOCKET="+path, "WATCHDOG_USEC=200000")
	p := start(t, cmd)
	hear("READY=1")
	if len(heard) > 1 {
		t.Errorf("before it served it told %q", heard)
	}
	for range 3 {
		hear("WATCHDOG=1")
	}
	if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	hear(`RELOADING=1\nMONOTONIC_USEC=[1-9]\d*`)
	hear("READY=1")
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	hear("STOPPING=1")
	if err := p.wait(); err != nil {
		t.Error(err)
	}
}
