package cmts

import (
	"context"
	"io"
	"net"
	"sync"
	"time"
)

// Telnet commands and options (RFC 854, 857, 858).
const (
	telnetIAC  = 255
	telnetDont = 254
	telnetDo   = 253
	telnetWont = 252
	telnetWill = 251
	telnetSB   = 250
	telnetSE   = 240

	optionEcho    = 1
	optionGoAhead = 3
)

// telnet is a connection that refuses all options except for the peer's echo and suppress-go-ahead.
type telnet struct {
	net.Conn
	mu    sync.Mutex // of writes: data and answers to options
	state byte       // 0, IAC, SB, or the verb whose option follows
	iac   bool       // after an IAC within SB
	raw   [2048]byte
}

func dialTelnet(ctx context.Context, address string, timeout time.Duration) (io.ReadWriteCloser, error) {
	conn, err := dialTCP(ctx, address, timeout)
	if err != nil {
		return nil, err
	}
	return &telnet{Conn: conn}, nil
}

func (t *telnet) Read(p []byte) (int, error) {
	for {
		n, err := t.Conn.Read(t.raw[:min(len(p), len(t.raw))])
		text, reply := t.filter(p[:0], t.raw[:n])
		if len(reply) > 0 {
			// A peer that floods us with options and does not read would block this for ever.
			_ = t.SetWriteDeadline(time.Now().Add(10 * time.Second))
			if werr := t.write(reply); werr != nil && err == nil {
				err = werr
			}
			_ = t.SetWriteDeadline(time.Time{})
		}
		if len(text) > 0 || err != nil {
			return len(text), err
		}
	}
}

// filter removes the commands from raw, appends the rest to dst, which must have room for it, and returns the answers to options.
func (t *telnet) filter(dst, raw []byte) (text, reply []byte) {
	for _, c := range raw {
		switch t.state {
		case 0:
			if c == telnetIAC {
				t.state = telnetIAC
			} else {
				dst = append(dst, c)
			}
		case telnetIAC:
			switch c {
			case telnetIAC:
				dst, t.state = append(dst, c), 0
			case telnetDo, telnetDont, telnetWill, telnetWont, telnetSB:
				t.state = c
			default:
				t.state = 0
			}
		case telnetSB:
			if t.iac && c == telnetSE {
				t.state = 0
			}
			t.iac = c == telnetIAC && !t.iac
		default:
			switch {
			case t.state == telnetDo:
				reply = append(reply, telnetIAC, telnetWont, c)
			case t.state == telnetWill && (c == optionEcho || c == optionGoAhead):
				reply = append(reply, telnetIAC, telnetDo, c)
			case t.state == telnetWill:
				reply = append(reply, telnetIAC, telnetDont, c)
			}
			t.state = 0
		}
	}
	return dst, reply
}

// Write doubles IAC, and ends lines as RFC 854 requires.
func (t *telnet) Write(p []byte) (int, error) {
	out := make([]byte, 0, len(p)+8)
	for _, c := range p {
		switch c {
		case telnetIAC:
			out = append(out, telnetIAC, telnetIAC)
		case '\n':
			out = append(out, '\r', '\n')
		default:
			out = append(out, c)
		}
	}
	if err := t.write(out); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (t *telnet) write(p []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	_, err := t.Conn.Write(p)
	return err
}
