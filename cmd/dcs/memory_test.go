package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"dcs/bench/require"
	"dcs/render/mic"
)

var memoryLine = regexp.MustCompile(`(?m)^memory: at most (\d+) MiB beside the library: (.*)\n`)

// withoutMemory returns what check tells, but for the line about memory.
func withoutMemory(s string) string { return memoryLine.ReplaceAllString(s, "") }

// group makes a control group that has so many octets of memory, and returns a command's first
// words that start it there, and a function that tells what the group has used at most and whether
// something in it was killed for want of memory.
func group(t *testing.T, octets int) (words []string, used func() (most int, killed bool)) {
	t.Helper()
	name := "dcs-test-" + strconv.Itoa(os.Getpid())
	v2, v1 := "/sys/fs/cgroup/"+name, "/sys/fs/cgroup/memory/"+name
	dir, limit, peak, events := v1, "memory.limit_in_bytes", "memory.max_usage_in_bytes", "memory.oom_control"
	if controllers, _ := os.ReadFile("/sys/fs/cgroup/cgroup.controllers"); strings.Contains(string(controllers), "memory") {
		dir, limit, peak, events = v2, "memory.max", "memory.peak", "memory.events"
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0) // it may be there already
	}
	err := os.Mkdir(dir, 0o755)
	if err == nil {
		t.Cleanup(func() { os.Remove(dir) })
		err = os.WriteFile(filepath.Join(dir, limit), []byte(strconv.Itoa(octets)), 0)
	}
	if err != nil {
		require.Missing(t, "ROOT", "no control group to be had: %v", err)
	}
	_ = os.WriteFile(filepath.Join(dir, "memory.swap.max"), []byte("0"), 0)
	used = func() (most int, killed bool) {
		text, _ := os.ReadFile(filepath.Join(dir, peak))
		most, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		text, _ = os.ReadFile(filepath.Join(dir, events))
		return most, regexp.MustCompile(`(?m)^oom_kill [1-9]`).Match(text)
	}
	return []string{"sh", "-c", `echo $$ > "$0/cgroup.procs" && exec "$@"`, dir}, used
}

// TestLearnedInGroup asks a server that has 200 MB, and one worker, for more kinds of names than fit: each is answered
// with its own octets, memory stays flat, and nothing is killed. DCS_LEARNED=1000000 asks for that many.
func TestLearnedInGroup(t *testing.T) {
	require.Long(t, "150,000 names")
	const octets = 200_000_000
	names := 150_000 // some five times what is kept
	if testing.Short() {
		names = 60_000
	}
	if n := os.Getenv("DCS_LEARNED"); n != "" {
		var err error
		if names, err = strconv.Atoi(n); err != nil {
			t.Fatal(err)
		}
	}
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "lib"), 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dir, "lib/a.dcs"), `
		Block common {
			NetworkAccess 1; MaxCPE 4; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5M; }
			DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50M; }
			SnmpMibObject docsDevNmAccessIp.1 IPAddress 198.18.0.10; SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo;
		}
		Main ~ "^n(?P<n>[0-9]+)$" { include common; select $n { default { SwUpgradeFilename "f$n"; } } SnmpMibObject sysLocation.0 String "at $ip"; }`)
	words, used := group(t, octets)
	port := freePort(t)
	p := start(t, exec.Command(words[0], append(words[1:], binary(t), "serve", "--listen", "127.0.0.1:"+port, "--workers", "1", "--transport", "socket", "--single-port",
		"--library", filepath.Join(dir, "lib"), "--timestamp", "--modem-address", "--metrics", "127.0.0.1:0")...))
	p.port = port
	p.await("msg=serving")
	if !strings.Contains(p.log.String(), "memory limit set") {
		t.Errorf("the server does not see the limit:\n%s", p.log)
	}
	begun := time.Now()
	half := 0
	asked := func(from, to int) {
		t.Helper()
		askAll(t, port, from, to, func(i int, file []byte) {
			report, err := mic.Verify(file, mic.NewSecret(nil))
			if err != nil || report.CM.Verdict != mic.Valid || report.CMTS.Verdict != mic.Valid || !bytes.Contains(file, upgrade(i)) {
				t.Errorf("n%d: %v\n%x", i, err, file)
			}
		})
	}
	asked(0, names/2)
	half = resident(t, p.cmd.Process.Pid)
	asked(names/2, names)
	end := resident(t, p.cmd.Process.Pid)
	most, killed := used()
	t.Logf("%d names in %v: %d MiB after the first half, %d MiB at the end; the group had %d MiB at most of %d", names,
		time.Since(begun).Round(time.Second), half>>20, end>>20, most>>20, octets>>20)
	if killed || end > half+half/5 || most > octets {
		t.Errorf("%d octets after the first half, %d at the end, %d at most, killed: %v", half, end, most, killed)
	}
}

// upgrade is TLV 9 of the file n<i>.
func upgrade(i int) []byte {
	name := fmt.Sprintf("f%d", i)
	return append([]byte{9, byte(len(name))}, name...)
}

// askAll asks for the names n<from> up to n<to>, from 16 sockets, and calls got for each with the file.
func askAll(t *testing.T, port string, from, to int, got func(i int, file []byte)) {
	t.Helper()
	const sockets = 16
	var wg sync.WaitGroup
	for k := range sockets {
		wg.Go(func() {
			buf := make([]byte, 2048)
			var conn net.Conn
			for i := from + k; i < to; i += sockets {
				file, err := []byte(nil), errors.New("no answer")
				for try := 0; try < 30 && file == nil; try++ {
					if conn == nil { // each try has a socket of its own, so that no late answer is taken for another's
						if conn, err = net.Dial("udp4", "127.0.0.1:"+port); err != nil {
							break
						}
					}
					if file, err = askOne(conn, fmt.Sprintf("n%d", i), buf); err != nil {
						conn.Close()
						conn = nil
					}
				}
				if err != nil {
					t.Errorf("n%d: %v", i, err)
					break
				}
				got(i, file)
			}
			if conn != nil {
				conn.Close()
			}
		})
	}
	wg.Wait()
}

// askOne fetches a file of one block from a server that answers from the port that it is asked at.
func askOne(conn net.Conn, name string, buf []byte) ([]byte, error) {
	if _, err := conn.Write([]byte("\x00\x01" + name + "\x00octet\x00")); err != nil {
		return nil, err
	}
	_ = conn.SetReadDeadline(time.Now().Add(time.Second))
	n, err := conn.Read(buf)
	if err != nil {
		return nil, err
	}
	if n < 5 || n >= 4+512 || string(buf[:4]) != "\x00\x03\x00\x01" {
		return nil, fmt.Errorf("got %q", buf[:n])
	}
	_, err = conn.Write([]byte("\x00\x04\x00\x01"))
	return buf[4:n], err
}

// resident returns the memory of a process that is in RAM, in octets.
func resident(t *testing.T, pid int) int {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		t.Fatal(err)
	}
	pages, _ := strconv.Atoi(strings.Fields(string(text))[1])
	return pages * os.Getpagesize()
}
