package cmts

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/subtle"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Server is one listener, with the sessions that came of it.
type Server struct {
	Addr    string // host:port
	HostKey ssh.PublicKey

	listener net.Listener
	mu       sync.Mutex
	conns    map[net.Conn]bool
	wg       sync.WaitGroup
}

// KnownHosts returns the server's line of a known_hosts file.
func (s *Server) KnownHosts() string {
	return knownhosts.Line([]string{s.Addr}, s.HostKey)
}

// Close ends the listener and all its sessions, and waits for them.
func (s *Server) Close() error {
	err := s.listener.Close()
	s.mu.Lock()
	for c := range s.conns {
		_ = c.Close()
	}
	s.mu.Unlock()
	s.wg.Wait()
	return err
}

// serve handles each connection in a goroutine of its own.
func (s *Server) serve(handle func(net.Conn)) {
	s.conns = map[net.Conn]bool{}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns[conn] = true
			s.mu.Unlock()
			s.wg.Go(func() {
				handle(conn)
				_ = conn.Close()
				s.mu.Lock()
				delete(s.conns, conn)
				s.mu.Unlock()
			})
		}
	})
}

// hostKeys returns the key that clients are to know, and after it others.
func (c *CMTS) hostKeys() ([]ssh.Signer, error) {
	if c.cfg.Legacy {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		signer, err := ssh.NewSignerFromKey(key)
		if err != nil {
			return nil, err
		}
		old, err := ssh.NewSignerWithAlgorithms(signer.(ssh.AlgorithmSigner), []string{ssh.KeyAlgoRSA})
		return []ssh.Signer{old}, err
	}
	_, known, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	a, err := ssh.NewSignerFromKey(known)
	if err != nil {
		return nil, err
	}
	b, err := ssh.NewSignerFromKey(other)
	return []ssh.Signer{a, b}, err
}

// ServeSSH listens on addr, such as 127.0.0.1:0, with host keys of its own.
func (c *CMTS) ServeSSH(addr string) (*Server, error) {
	keys, err := c.hostKeys()
	if err != nil {
		return nil, err
	}
	cfg := &ssh.ServerConfig{
		ServerVersion: "SSH-2.0-" + string(c.cfg.Make),
		PasswordCallback: func(m ssh.ConnMetadata, password []byte) (*ssh.Permissions, error) {
			if c.cfg.Password == "" || m.User() != c.cfg.User || subtle.ConstantTimeCompare(password, []byte(c.cfg.Password)) != 1 {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		},
		PublicKeyCallback: func(m ssh.ConnMetadata, key ssh.PublicKey) (*ssh.Permissions, error) {
			want, _, _, _, err := ssh.ParseAuthorizedKey(c.cfg.AuthorizedKey)
			if err != nil || m.User() != c.cfg.User || !slices.Equal(want.Marshal(), key.Marshal()) {
				return nil, errors.New("unknown key")
			}
			return nil, nil
		},
	}
	if c.cfg.Interactive {
		cfg.PasswordCallback = nil
		cfg.KeyboardInteractiveCallback = func(m ssh.ConnMetadata, ask ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
			answers, err := ask("", "", []string{"Password: "}, []bool{false})
			if err != nil || m.User() != c.cfg.User || len(answers) != 1 || answers[0] != c.cfg.Password {
				return nil, errors.New("wrong password")
			}
			return nil, nil
		}
	}
	if c.cfg.Legacy {
		cfg.KeyExchanges = []string{ssh.InsecureKeyExchangeDH1SHA1}
		cfg.Ciphers = []string{ssh.InsecureCipherAES128CBC}
		cfg.MACs = []string{ssh.HMACSHA1}
	}
	for _, k := range keys {
		cfg.AddHostKey(k)
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), HostKey: keys[0].PublicKey(), listener: l}
	s.serve(func(conn net.Conn) {
		_, channels, requests, err := ssh.NewServerConn(conn, cfg)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for nc := range channels {
			if nc.ChannelType() != "session" {
				_ = nc.Reject(ssh.UnknownChannelType, "sessions only")
				continue
			}
			ch, reqs, err := nc.Accept()
			if err != nil {
				return
			}
			go func() {
				for r := range reqs {
					_ = r.Reply(r.Type == "pty-req" || r.Type == "shell", nil)
					if r.Type == "shell" {
						go func() {
							c.Shell(ch)
							_ = ch.Close()
							_ = conn.Close()
						}()
					}
				}
			}()
		}
	})
	return s, nil
}

// ServeTelnet listens on addr without encryption; user and password are asked for.
func (c *CMTS) ServeTelnet(addr string) (*Server, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, err
	}
	s := &Server{Addr: l.Addr().String(), listener: l}
	s.serve(func(conn net.Conn) {
		_, _ = conn.Write([]byte{255, 251, 1, 255, 251, 3, 255, 253, 24}) // WILL ECHO, WILL SGA, DO TERMINAL-TYPE
		t := &terminal{c: c, rw: conn, telnet: true}
		for range 3 {
			user, err := t.ask("\r\nUsername: ", true)
			if err != nil {
				return
			}
			password, err := t.ask("Password: ", false)
			if err != nil {
				return
			}
			if user == c.cfg.User && password == c.cfg.Password {
				t.run()
				return
			}
			t.print("% Login invalid\n")
		}
	})
	return s, nil
}

// Shell speaks the command line over any stream, until it ends.
func (c *CMTS) Shell(rw io.ReadWriter) { (&terminal{c: c, rw: rw}).run() }

// terminal is one session.
type terminal struct {
	c      *CMTS
	rw     io.ReadWriter
	telnet bool
	in     []byte

	privileged bool
	unpaged    bool
	mode       string // "", config or config-if
	iface      string
	lines      int
}

func (t *terminal) print(text string) bool {
	_, err := io.WriteString(t.rw, strings.ReplaceAll(text, "\n", "\r\n"))
	return err == nil
}

func (t *terminal) key() (byte, error) {
	for {
		for len(t.in) == 0 {
			buf := make([]byte, 256)
			n, err := t.rw.Read(buf)
			if n == 0 && err != nil {
				return 0, err
			}
			t.in = buf[:n]
		}
		b := t.in[0]
		t.in = t.in[1:]
		if t.telnet && b == 255 { // the answer to an option: two octets more
			if _, err := t.key(); err != nil {
				return 0, err
			}
			if _, err := t.key(); err != nil {
				return 0, err
			}
			continue
		}
		return b, nil
	}
}

// ask prints a question and edits a line, as a terminal without a local echo has it.
func (t *terminal) ask(question string, echo bool) (string, error) {
	if !t.print(question) {
		return "", io.ErrClosedPipe
	}
	var line []byte
	literal := false
	for {
		b, err := t.key()
		switch {
		case err != nil:
			return "", err
		case b == '\n' && t.telnet: // after a carriage return
		case b == '\r' || b == '\n':
			t.print("\n")
			return string(line), nil
		case b == 0x16 && !literal:
			literal = true
			continue
		case b == '?' && !literal && echo:
			t.print("?\n  LINE  <cr>\n" + question + string(line))
		case b == 0x7f || b == '\b':
			if len(line) > 0 {
				line = line[:len(line)-1]
			}
		case b < ' ':
		default:
			line = append(line, b)
			if echo {
				t.print(string(rune(b)))
			}
		}
		literal = false
	}
}

func (t *terminal) prompt() string {
	end := ">"
	if t.privileged {
		end = "#"
	}
	mode := ""
	if t.mode != "" {
		mode = "(" + t.mode + ")"
	}
	switch t.c.cfg.Make {
	case C4:
		return "[] " + t.c.cfg.Name + mode + end + " "
	case BSR:
		return t.c.cfg.Name + ":" + mode + end
	case Cisco, C3:
	}
	return t.c.cfg.Name + mode + end
}

func (t *terminal) run() {
	t.privileged = t.c.cfg.Enable == ""
	t.print(t.c.faults.Load().Banner)
	for {
		prompt := t.prompt()
		if t.c.faults.Load().Chatter && t.lines > 0 {
			prompt += "\n*Mar  1 00:00:00.000: %SYS-5-CONFIG_I: Configured from console\n"
		}
		line, err := t.ask(prompt, true)
		if err != nil {
			return
		}
		t.lines++
		f := t.c.faults.Load()
		t.c.mu.Lock()
		t.c.log = append(t.c.log, line)
		t.c.mu.Unlock()
		if f.Slow > 0 {
			time.Sleep(f.Slow)
		}
		switch {
		case f.DropAfter > 0 && t.lines >= f.DropAfter:
			return
		case f.Silent:
			_, _ = io.Copy(io.Discard, t.rw)
			return
		case f.Flood:
			for t.print(strings.Repeat("flood ", 1000) + "\n") { // until the peer has gone
			}
			return
		case f.Garbage:
			rubbish := make([]byte, 512)
			_, _ = rand.Read(rubbish)
			if _, err := t.rw.Write(append(rubbish, line...)); err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, t.rw)
			return
		case f.ErrorOn != "" && strings.Contains(line, f.ErrorOn):
			t.print(t.refuse(line))
			continue
		}
		text, quit := t.command(strings.TrimSpace(line))
		if quit || !t.page(text, f.Paging) {
			return
		}
	}
}

// refuse is an error as the make has it; some repeat what they did not like.
func (t *terminal) refuse(line string) string {
	switch t.c.cfg.Make {
	case C4:
		return "Error: invalid input: " + line + "\n"
	case BSR:
		return "% Invalid input: " + line + "\n"
	case Cisco, C3:
	}
	return strings.Repeat(" ", len(t.prompt())) + "^\n% Invalid input detected at '^' marker.\n\n"
}

// page prints with a pager in between, unless it was told not to.
func (t *terminal) page(text string, always bool) bool {
	if t.unpaged && !always {
		return t.print(text)
	}
	n := 0
	for line := range strings.Lines(text) {
		if n++; n%10 == 0 {
			t.print(" --More-- ")
			b, err := t.key()
			if err != nil {
				return false
			}
			_, _ = io.WriteString(t.rw, strings.Repeat("\b", 10)+strings.Repeat(" ", 10)+strings.Repeat("\b", 10))
			if b == 'q' {
				return true
			}
		}
		if !t.print(line) {
			return false
		}
	}
	return true
}

var (
	ciscoSecret = regexp.MustCompile(`^(no )?cable shared-(?:secret|secondary-secret index (\d+))(?: (?:0 )?(\S+))?$`)
	c4Secret    = regexp.MustCompile(`^configure cable shared-(secondary-)?secret (\S+)$`)
	bsrSecret   = regexp.MustCompile(`^(no )?cable shared-secret(?: 0 "([^"]*)")?$`)
)

// command does one, and returns what it prints.
func (t *terminal) command(line string) (out string, quit bool) {
	c := t.c
	switch {
	case line == "":
		return "", false
	case line == "exit" || line == "logout":
		return "", true
	case line == "enable":
		if c.cfg.Enable != "" && !t.privileged {
			password, err := t.ask("Password: ", false)
			if err != nil {
				return "", true
			}
			if password != c.cfg.Enable {
				return "% Access denied\n\n", false
			}
		}
		t.privileged = true
		return "", false
	case !t.privileged:
		return t.refuse(line), false
	case line == "write memory":
		c.mu.Lock()
		c.saves++
		c.mu.Unlock()
		return "Building configuration...\n[OK]\n", false
	}
	switch c.cfg.Make {
	case Cisco:
		return t.cisco(line), false
	case C4:
		if m := c4Secret.FindStringSubmatch(line); m != nil {
			at, key := slot{"", 0}, m[2]
			if m[1] != "" {
				at.index = 1
			}
			if key == "no" {
				key = ""
			}
			c.set(at, key)
			return "", false
		}
	case BSR:
		return t.bsr(line), false
	case C3:
	}
	return t.refuse(line), false
}

func (t *terminal) cisco(line string) string {
	c := t.c
	name, isInterface := strings.CutPrefix(line, "interface ")
	shown, isShow := strings.CutPrefix(line, "show running-config interface ")
	switch m := ciscoSecret.FindStringSubmatch(line); {
	case line == "terminal length 0":
		t.unpaged = true
	case strings.HasPrefix(line, "terminal width "):
	case line == "configure terminal" && t.mode == "":
		t.mode = "config"
		return "Enter configuration commands, one per line.  End with CNTL/Z.\n"
	case isInterface && t.mode != "" && slices.Contains(c.cfg.Interfaces, name):
		t.mode, t.iface = "config-if", name
	case line == "end" && t.mode != "":
		t.mode = ""
	case m != nil && t.mode == "config-if":
		index := 0
		if m[2] != "" {
			index, _ = strconv.Atoi(m[2])
			if index < 1 || index > 16 {
				return t.refuse(line)
			}
		}
		if (m[1] == "") == (m[3] == "") || len(m[3]) > 80 {
			return "% Incomplete command.\n\n"
		}
		c.set(slot{t.iface, index}, m[3])
	case isShow && t.mode == "" && slices.Contains(c.cfg.Interfaces, shown):
		return c.ciscoConfig(shown)
	default:
		return t.refuse(line)
	}
	return ""
}

func (c *CMTS) ciscoConfig(iface string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "Building configuration...\n\nCurrent configuration : 1024 bytes\n!\ninterface %s\n ip address 10.1.1.1 255.255.255.0\n", iface)
	for i := range 12 {
		fmt.Fprintf(&b, " cable upstream %d power-level 0\n", i)
	}
	for index := range 17 {
		s := c.slots[slot{iface, index}]
		if s == "" {
			continue
		}
		if c.cfg.Encrypted {
			s = "7 " + encodeType7(s)
		}
		if index == 0 {
			fmt.Fprintf(&b, " cable shared-secret %s\n", s)
		} else {
			fmt.Fprintf(&b, " cable shared-secondary-secret index %d %s\n", index, s)
		}
	}
	b.WriteString(" cable dhcp-giaddr policy\nend\n\n")
	return b.String()
}

// encodeType7 writes a text as IOS does with "service password-encryption", from the fourth octet of its key on.
func encodeType7(s string) string {
	const key, at = "dsfd;kfoA,.iyewrkldJKDHSUBsgvca69834ncxv9873254k;fg87", 3
	b := []byte(s)
	for i := range b {
		b[i] ^= key[(at+i)%len(key)]
	}
	return fmt.Sprintf("%02d%s", at, strings.ToUpper(hex.EncodeToString(b)))
}

func (t *terminal) bsr(line string) string {
	switch m := bsrSecret.FindStringSubmatch(line); {
	case line == "configure terminal" && t.mode == "":
		t.mode = "config"
	case line == "end" && t.mode != "":
		t.mode = ""
	case m != nil && t.mode == "config" && (m[1] == "") != (m[2] == ""):
		t.c.set(slot{"", 0}, m[2])
	default:
		return t.refuse(line)
	}
	return ""
}
