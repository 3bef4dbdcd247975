package cmts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"
)

// maxOutput is the most that one command may print, in octets; a complete large configuration has less.
const maxOutput = 4 << 20

// loginQuiet is how long nothing may follow the first prompt: a banner may contain a line that looks like it.
const loginQuiet = 150 * time.Millisecond

// promptQuiet is the same for a later prompt that does not stand right behind a command's output.
const promptQuiet = 500 * time.Millisecond

// session is a session on a command line.
type session struct {
	conn     io.ReadWriteCloser
	dialogue *dialogue
	vars     map[string]string
	timeout  time.Duration
	scrub    *scrubber

	loginQuiet time.Duration // as the constant

	chunks  chan []byte
	readErr error // set before chunks is closed
	closed  chan struct{}

	screen screen
	host   string // from the first prompt
	prompt string // the latest
}

// newSession returns a session that reads from conn until that is closed.
func newSession(conn io.ReadWriteCloser) *session {
	s := &session{conn: conn, chunks: make(chan []byte), closed: make(chan struct{})}
	go func() {
		defer close(s.chunks)
		for {
			chunk := make([]byte, 4096)
			n, err := conn.Read(chunk)
			if n > 0 {
				select {
				case s.chunks <- chunk[:n]:
				case <-s.closed:
					return
				}
			}
			if err != nil {
				s.readErr = err
				return
			}
		}
	}()
	return s
}

func (s *session) close() {
	close(s.closed)
	_ = s.conn.Close()
}

// promptAt reports whether line is the prompt.
func (s *session) promptAt(line string) bool {
	m := s.dialogue.Prompt.FindStringSubmatchIndex(line)
	if m == nil || m[0] != 0 || m[1] != len(line) {
		return false
	}
	i := s.dialogue.Prompt.SubexpIndex("host")
	if m[2*i] < 0 {
		return false
	}
	host := line[m[2*i]:m[2*i+1]]
	// A long name is truncated in prompts that show the mode.
	return s.host == "" || host == s.host || len(host) >= 10 && strings.HasPrefix(s.host, host)
}

// await reads until the prompt comes, answers questions, and returns what was printed. A prompt after the echo of what was
// sent ends the command at once. One without an echo before it may be the previous prompt, shown again below a message of the
// system: it counts if nothing follows it for promptQuiet.
func (s *session) await(ctx context.Context, sent string, answers []answer, timeout time.Duration, vars map[string]string) (string, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	var quiet <-chan time.Time
	candidate := "" // a prompt that counts if nothing follows
	finished := ""  // the same, if a message of the system has followed
	scanned := 0    // octets of the finished lines
	echoed := false
	asked := make(map[int]bool)
	found := func(prompt string) (string, error) {
		s.prompt = prompt
		if s.host == "" {
			i := s.dialogue.Prompt.SubexpIndex("host")
			s.host = s.dialogue.Prompt.FindStringSubmatch(prompt)[i]
		}
		return string(s.screen.done), nil
	}
	for {
		select {
		case chunk, ok := <-s.chunks:
			if !ok {
				return "", s.failed(s.readErr)
			}
			s.screen.write(chunk)
		case <-quiet:
			return found(candidate)
		case <-deadline.C:
			return "", fmt.Errorf("no prompt within %s; received %s", timeout, s.received())
		case <-ctx.Done():
			return "", fmt.Errorf("%w while waiting for the prompt; received %s", context.Cause(ctx), s.received())
		}
		// What overwrites its line endlessly does not grow, so written is bounded too.
		if s.screen.size() > maxOutput || s.screen.written > 4*maxOutput {
			return "", fmt.Errorf("more than %d MB without a prompt, ending in %s", maxOutput>>20, s.received())
		}
		quiet, candidate = nil, ""
		if s.host != "" {
			if !echoed && sent != "" {
				from := max(scanned-len(sent), 0)
				if i := bytes.Index(s.screen.done[from:], []byte(sent+"\n")); i >= 0 {
					echoed, scanned, finished = true, from+i+len(sent), ""
				}
			}
			for line := range strings.Lines(string(s.screen.done[scanned:])) {
				if line = strings.TrimRight(line, " \t\n"); s.promptAt(line) {
					finished = line
				}
			}
			scanned = len(s.screen.done)
			if candidate = finished; candidate != "" {
				quiet = time.After(promptQuiet)
			}
		}
		line := s.screen.tail()
		if len(line) > 4096 {
			continue // too long for a question
		}
		if i := s.question(line, answers); i >= 0 {
			if asked[i] {
				if s.host == "" || strings.Contains(strings.ToLower(line), "password") {
					return "", fmt.Errorf("%w: asked a second time: %q", ErrDenied, s.scrub.excerpt(line))
				}
				return "", fmt.Errorf("asked a second time: %q", s.scrub.excerpt(line))
			}
			asked[i] = true
			reply := expand(answers[i].Send, vars)
			if names := variables(answers[i].Send); len(names) == 1 && reply == "" {
				return "", fmt.Errorf("asked %q, but %s is not set", s.scrub.excerpt(line), fileKey(names[0]))
			}
			s.screen.write([]byte("\n"))
			if err := s.send(ctx, reply+s.dialogue.LineEnd); err != nil {
				return "", err
			}
			continue
		}
		if s.dialogue.Pager.Expect.matches(line) {
			s.screen.line = s.screen.line[:0]
			if err := s.send(ctx, s.dialogue.Pager.Send); err != nil {
				return "", err
			}
			continue
		}
		if s.promptAt(line) {
			switch {
			case echoed:
				return found(line)
			case s.host != "":
				candidate, quiet = line, time.After(promptQuiet)
			default:
				candidate, quiet = line, time.After(s.loginQuiet)
			}
		}
	}
}

// question returns the index of the answer to line; -1: it is no question.
func (s *session) question(line string, answers []answer) int {
	for i, a := range answers {
		if a.Expect.matches(line) {
			return i
		}
	}
	return -1
}

// fileKey returns the key of the fleet file that sets a variable.
func fileKey(variable string) string {
	switch variable {
	case varPassword:
		return "password_file"
	case varEnable:
		return "enable_password_file"
	}
	return variable
}

// received quotes the end of what the CMTS printed.
func (s *session) received() string {
	if text := s.scrub.excerpt(s.screen.text()); text != "" {
		return fmt.Sprintf("%q", text)
	}
	return "nothing"
}

// failed returns the error of a connection that broke.
func (s *session) failed(err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed):
		return fmt.Errorf("session ended by the CMTS after %s", s.received())
	default:
		return fmt.Errorf("session failed after %[2]s: %[1]w", err, s.received())
	}
}

// send writes text. It gives up after s.timeout, as a peer may not read.
func (s *session) send(ctx context.Context, text string) error {
	sent := make(chan error, 1)
	go func() {
		_, err := io.WriteString(s.conn, text)
		sent <- err
	}()
	timer := time.NewTimer(s.timeout)
	defer timer.Stop()
	select {
	case err := <-sent:
		if err != nil {
			return s.failed(err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("not accepted by the CMTS within %s", s.timeout)
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// login waits for the first prompt.
func (s *session) login(ctx context.Context) error {
	if _, err := s.await(ctx, "", s.dialogue.Login, s.timeout, s.vars); err != nil {
		return fmt.Errorf("login: %w", err)
	}
	return nil
}

// run takes the steps, some of them for each interface, and calls read with the output of those that read.
func (s *session) run(ctx context.Context, steps []step, interfaces []string, vars map[string]string, read func(iface string, r *reading, output string)) error {
	for _, st := range steps {
		if len(st.Interfaces) > 0 {
			for _, name := range interfaces {
				inner := make(map[string]string, len(vars)+1)
				for k, v := range vars {
					inner[k] = v
				}
				inner[varInterface] = name
				if err := s.run(ctx, st.Interfaces, interfaces, inner, read); err != nil {
					return err
				}
			}
			continue
		}
		if st.When.Regexp != nil && !st.When.matches(s.prompt) {
			continue
		}
		output, err := s.step(ctx, &st, vars)
		if err != nil {
			shown := st.Send
			if name := vars[varInterface]; name != "" {
				shown = expand(st.Send, showing(st.Send, name)) // of the variables only the interface is shown
			}
			return fmt.Errorf("%q: %w", shown, err)
		}
		if st.Read != nil && read != nil {
			read(vars[varInterface], st.Read, output)
		}
	}
	return nil
}

// showing maps the variables of a template to themselves, except for the interface.
func showing(template, iface string) map[string]string {
	m := map[string]string{}
	for _, name := range variables(template) {
		m[name] = "{{" + name + "}}"
	}
	m[varInterface] = iface
	return m
}

// step sends a command, and returns what it printed.
func (s *session) step(ctx context.Context, st *step, vars map[string]string) (string, error) {
	timeout := s.timeout
	if st.Timeout > 0 {
		timeout = st.Timeout
	}
	sent := expand(st.Send, vars)
	s.screen.reset()
	if err := s.send(ctx, sent+s.dialogue.LineEnd); err != nil {
		return "", err
	}
	output, err := s.await(ctx, sent, st.Answers, timeout, vars)
	if err != nil {
		return "", err
	}
	if _, after, ok := strings.Cut(output, sent+"\n"); ok { // after the echo, before which there may be a late message
		output = after
	} else {
		output = strings.TrimPrefix(output, sent)
	}
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, " \t\n")
		if s.dialogue.Errors.match(line) && !st.Tolerate.match(line) {
			if st.asksPassword() {
				return "", fmt.Errorf("%w: password refused: %q", ErrDenied, s.scrub.excerpt(output))
			}
			return "", fmt.Errorf("CMTS answered %q", s.scrub.excerpt(output))
		}
	}
	if st.Expect.Regexp != nil && !st.Expect.matches(s.prompt) {
		return "", fmt.Errorf("want a prompt like %s, got %q after %q", st.Expect, s.scrub.excerpt(s.prompt), s.scrub.excerpt(output))
	}
	return output, nil
}
