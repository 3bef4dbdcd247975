package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
)

// Files of the server.
const (
	small    = "small.bin"    // static, one block
	modem    = "modem.bin"    // static, three blocks of 512 octets
	firmware = "firmware.bin" // static
	tier     = "tier1.bin"    // rendered from attributes of the device, 1.4 kB
)

var sizes = map[string]int{small: 500, modem: 1400, firmware: 32 << 20}

// content returns the content of a static file.
func content(name string) []byte { return bytes.Repeat([]byte{0xa5}, sizes[name]) }

// writeFiles writes the server's files to dir: files, a library, a secret, and devices that answerDevices knows.
func writeFiles(dir, self string) error {
	for name := range sizes {
		if err := write(filepath.Join(dir, "static", name), content(name)); err != nil {
			return err
		}
	}
	filler := strings.Repeat("    SnmpMibObject .1.3.6.1.2.1.1.4.0 String \""+strings.Repeat("x", 100)+"\";\n", 11)
	library := "Main \"" + tier + "\" {\n    default cpes 3;\n    NetworkAccess 1;\n    MaxCPE $cpes;\n" + filler + "    TftpTimestamp $time;\n    TftpModemAddress $ip;\n}\n"
	config := fmt.Sprintf("static: [%s/static]\nlibrary: [%[1]s/library]\nsecret_file: %[1]s/secret\n", dir)
	asked := config + fmt.Sprintf("devices_dir: %s/devices\ndevices:\n  - plugin: {argv: [%s, %s]}\n", dir, self, answering)
	return errors.Join(
		write(filepath.Join(dir, "library", "tier1.dcs"), []byte(library)),
		write(filepath.Join(dir, "secret"), []byte(rig.Secret)),
		write(filepath.Join(dir, "dcs.yaml"), []byte(config)),
		write(filepath.Join(dir, "asked.yaml"), []byte(asked)))
}

func write(name string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return err
	}
	return os.WriteFile(name, b, 0o600)
}

// A server runs in a lab of its own.
type server struct{ *rig.Alone }

// start starts a server in a new lab and waits until it serves; a negative cpu means any.
func start(bin, dir, config, transport string, cpu int, args []string) (server, error) {
	_ = os.RemoveAll(filepath.Join(dir, "devices")) // left over from the previous server
	var cpus []int
	if cpu >= 0 {
		cpus = []int{cpu}
	}
	v, err := rig.StartAlone(rig.TH0, bin, transport, cpus, append([]string{"--config", filepath.Join(dir, config)}, args...)...)
	return server{v}, err
}

// drops returns how many packets the kernel has dropped before the server could read them: at both ends of the wire,
// and for lack of room in its sockets.
func (v server) drops() (n uint64, err error) {
	for _, at := range []struct {
		host *netlab.Host
		name string
	}{{v.Lab.Load, "tx_dropped"}, {v.Lab.Server, "rx_dropped"}} {
		text, err := at.host.ReadFile("/sys/class/net/" + netlab.Device + "/statistics/" + at.name)
		if err != nil {
			return 0, err
		}
		k, err := strconv.ParseUint(strings.TrimSpace(text), 10, 64)
		if err != nil {
			return 0, err
		}
		n += k
	}
	for _, table := range []string{"snmp", "snmp6"} {
		text, err := v.Lab.Server.ReadFile("/proc/thread-self/net/" + table)
		if err != nil {
			return 0, err
		}
		n += bufferErrors(text)
	}
	return n, nil
}

// drain waits until the server has read its sockets, at most for limit: in an attack that fills the table the entries
// count, however slow the machine is.
func (v server) drain(limit time.Duration) error {
	for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		waiting := false
		for _, table := range []string{"udp", "udp6"} {
			text, err := v.Lab.Server.ReadFile("/proc/thread-self/net/" + table)
			if err != nil {
				return err
			}
			waiting = waiting || queued(text)
		}
		if !waiting {
			return nil
		}
	}
	return nil
}

// queued reports whether a socket in /proc/net/udp or udp6 has unread data.
func queued(text string) bool {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		if _, rx, ok := strings.Cut(f[4], ":"); ok && strings.Trim(rx, "0") != "" {
			return true
		}
	}
	return false
}

// bufferErrors returns RcvbufErrors of UDP from /proc/net/snmp or snmp6.
func bufferErrors(text string) uint64 {
	column := -1
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		switch {
		case len(f) == 2 && f[0] == "Udp6RcvbufErrors":
			n, _ := strconv.ParseUint(f[1], 10, 64) // always a number
			return n
		case len(f) == 0 || f[0] != "Udp:":
		case column < 0:
			for i := range f {
				if f[i] == "RcvbufErrors" {
					column = i
				}
			}
		case column < len(f):
			n, _ := strconv.ParseUint(f[column], 10, 64)
			return n
		}
	}
	return 0
}
