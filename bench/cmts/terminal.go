package cmts

import (
	"crypto/rand"
	"io"
	"strings"
	"time"
)

// Shell is a session of the command line on rw.
func (c *CMTS) Shell(rw io.ReadWriter) { (&terminal{c: c, rw: rw}).run() }

// terminal is a session.
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

// key reads an octet.
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
		if t.telnet && b == 255 { // an answer to an option: skip two octets
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

// ask prints a question and reads a line, with echo and line editing.
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

// prompt returns the make's prompt in the present mode.
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

// run reads and executes commands until the session ends.
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

// page prints with a pager, unless the session has switched that off.
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
