package cmts

import (
	"net"
	"sync"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// Server is a listener with its sessions.
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

// Close closes the listener and all sessions, and waits for them.
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

// serve handles each connection in its own goroutine.
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

// ServeTelnet listens on addr for telnet sessions, which begin with user and password.
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
