package cmts

import (
	"bufio"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gosnmp/gosnmp"
)

// Snmpd is net-snmp's agent in front of a CMTS.
type Snmpd struct {
	Addr string

	cmd    *exec.Cmd
	alive  io.Closer // the agent ends when this is closed, or when this process ends
	ended  chan struct{}
	bridge *Server
}

// SnmpdConfig is the configuration of the agent.
type SnmpdConfig struct {
	Dir       string // for its files; not shared
	Community string // of version 2c
	// Of version 3, SHA-256 and AES.
	User, AuthPassword, PrivPassword string
}

// ErrNoSnmpd is returned where net-snmp's agent is not installed.
var ErrNoSnmpd = errors.New("snmpd is not installed: make deps")

// StartSnmpd starts net-snmp's agent on a free port, with the table of this CMTS behind a pass_persist script. It needs no root,
// reads no configuration of the system, and writes to its directory only.
func (c *CMTS) StartSnmpd(cfg SnmpdConfig) (*Snmpd, error) {
	program, err := exec.LookPath("snmpd")
	if err != nil {
		if program, err = exec.LookPath("/usr/sbin/snmpd"); err != nil {
			return nil, ErrNoSnmpd
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	bridge := &Server{Addr: l.Addr().String(), listener: l}
	bridge.serve(c.passPersist)
	// Another process may take the port before snmpd does.
	for try := 0; ; try++ {
		s, err := startSnmpd(program, bridge, cfg)
		if err == nil {
			return s, nil
		}
		if try == 4 || !errors.Is(err, errEnded) {
			_ = bridge.Close()
			return nil, err
		}
	}
}

var errEnded = errors.New("snmpd ended")

func startSnmpd(program string, bridge *Server, cfg SnmpdConfig) (*Snmpd, error) {
	probe, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	addr := probe.LocalAddr().String()
	_ = probe.Close()

	_, port, _ := net.SplitHostPort(bridge.Addr)
	// Relative paths: snmpd ends a path at a comma.
	script := filepath.Join(cfg.Dir, "pass.sh")
	conf := fmt.Sprintf("agentaddress udp:%s\npass_persist %s /bin/bash pass.sh\n", addr, strings.TrimSuffix(c3Entry, ".1."))
	if cfg.Community != "" {
		conf += fmt.Sprintf("rwcommunity %s 127.0.0.1\n", cfg.Community)
	}
	if cfg.User != "" {
		conf += fmt.Sprintf("createUser %s SHA-256 \"%s\" AES \"%s\"\nrwuser %s priv\n", cfg.User, cfg.AuthPassword, cfg.PrivPassword, cfg.User)
	}
	log := filepath.Join(cfg.Dir, "snmpd.log")
	err = errors.Join(
		os.WriteFile(script, fmt.Appendf(nil, "exec 3<>/dev/tcp/127.0.0.1/%s || exit 1\ncat <&3 &\ncat >&3\nkill $!\n", port), 0o600),
		os.WriteFile(filepath.Join(cfg.Dir, "snmpd.conf"), []byte(conf), 0o600),
	)
	if err != nil {
		return nil, err
	}
	// The shell kills snmpd when its own input ends, so that nothing remains after a test was killed.
	cmd := exec.Command("/bin/sh", "-c", `"$0" "$@" & p=$!; cat >/dev/null; kill -9 $p; wait $p`,
		program, "-f", "-C", "-c", "snmpd.conf", "-Lf", "snmpd.log", "-I", "-smux,mteTrigger,mteTriggerConf")
	cmd.Dir = cfg.Dir
	cmd.Env = append(os.Environ(), "SNMP_PERSISTENT_DIR=.", "SNMPCONFPATH=.", "MIBS=")
	alive, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &Snmpd{Addr: addr, cmd: cmd, alive: alive, ended: make(chan struct{}), bridge: bridge}
	go func() {
		_ = cmd.Wait()
		close(s.ended)
	}()
	if err := s.ready(cfg); err != nil {
		_ = s.stop()
		said, _ := os.ReadFile(log)
		return nil, fmt.Errorf("%w; its log: %s", err, said)
	}
	return s, nil
}

// ready waits until the agent answers, be it with an error: there may be only a user of version 3.
func (s *Snmpd) ready(cfg SnmpdConfig) error {
	host, port, _ := net.SplitHostPort(s.Addr)
	n, _ := strconv.ParseUint(port, 10, 16)
	g := &gosnmp.GoSNMP{
		Target: host, Port: uint16(n), Transport: "udp", Version: gosnmp.Version3, SecurityModel: gosnmp.UserSecurityModel,
		Timeout: 200 * time.Millisecond, MaxOids: 1,
		SecurityParameters: &gosnmp.UsmSecurityParameters{UserName: "nobody"},
	}
	if cfg.Community != "" {
		g.Version, g.Community = gosnmp.Version2c, cfg.Community
	}
	if err := g.Connect(); err != nil {
		return err
	}
	defer g.Close()
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); {
		_, err := g.Get([]string{".1.3.6.1.2.1.1.3.0"})
		if err == nil || errors.Is(err, gosnmp.ErrUnknownUsername) {
			return nil
		}
		select {
		case <-s.ended:
			return errEnded
		case <-time.After(20 * time.Millisecond):
		}
	}
	return errors.New("snmpd does not answer")
}

func (s *Snmpd) stop() error {
	err := s.alive.Close()
	select {
	case <-s.ended:
	case <-time.After(20 * time.Second):
		err = errors.Join(err, s.cmd.Process.Kill())
		<-s.ended
	}
	return err
}

// Close stops the agent.
func (s *Snmpd) Close() error { return errors.Join(s.stop(), s.bridge.Close()) }

// passPersist implements the protocol of pass_persist in snmpd.conf(5).
func (c *CMTS) passPersist(conn net.Conn) {
	in := bufio.NewScanner(conn)
	line := func() string {
		if !in.Scan() {
			return ""
		}
		return in.Text()
	}
	last := "" // the previous OID that was read
	for in.Scan() {
		var answer string
		f := c.faults.Load()
		if f.Slow > 0 {
			time.Sleep(f.Slow)
		}
		switch strings.ToLower(in.Text()) {
		case "": // follows the value of a SET
			continue
		case "ping":
			answer = "PONG"
		case "get":
			oid := line()
			if answer = c.passCell(oid); answer == "NONE" && c.reserves(last, oid) {
				answer = fmt.Sprintf("%s\ninteger\n%d", oid, rowNotReady)
			}
			last = oid
		case "getnext":
			answer = "NONE"
			if next, ok := c.next(line()); ok {
				answer = c.passCell(next)
			}
		case "set":
			oid := line()
			text, number := passValue(line())
			answer = "DONE"
			if err := c.write(oid, text, number); err != nil {
				answer = err.Error()
			}
		default:
			return
		}
		if _, err := io.WriteString(conn, answer+"\n"); err != nil {
			return
		}
	}
}

// reserves reports whether a SET that creates a row is in progress. Before a SET snmpd reads all of its cells, and calls a missing
// one not writable, so that no row could be created. Therefore a missing text reads as empty, as does an existing one, and a
// missing status as notReady if it is read right after the text of the same row.
func (c *CMTS) reserves(last, oid string) bool {
	was, row, _ := c.column(last)
	is, same, ok := c.column(oid)
	return ok && was == c3Text && is == c3Status && row == same
}

func (c *CMTS) passCell(oid string) string {
	text, status, ok := c.read(oid)
	if !ok {
		column, _, inTable := c.column(oid)
		ok = inTable && column == c3Text
	}
	switch {
	case !ok:
		return "NONE"
	case status != 0:
		return fmt.Sprintf("%s\ninteger\n%d", oid, status)
	}
	return oid + "\nstring\n" + text
}

// passValue parses TYPE VALUE as snmpd writes it: string "text", octet "00 ff", integer 4.
func passValue(s string) (text string, number int) {
	kind, value, _ := strings.Cut(s, " ")
	value = strings.TrimSuffix(strings.TrimPrefix(strings.TrimSpace(value), `"`), `"`)
	switch kind {
	case "octet":
		b, err := hex.DecodeString(strings.ReplaceAll(value, " ", ""))
		if err != nil {
			return "", 0
		}
		return string(b), 0
	case "string":
		return value, 0
	}
	number, _ = strconv.Atoi(value)
	return "", number
}
