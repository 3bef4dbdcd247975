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

// maxOutput bounds what one command may print, in octets: a large configuration, shown whole, has less.
const maxOutput = 4 << 20

// settle is how long nothing must follow what looks like the first prompt: a banner may hold such a line.
const settle = 150 * time.Millisecond

// settleLate is the same for a prompt that other lines have followed.
const settleLate = 500 * time.Millisecond

// session is a conversation with a command line.
type session struct {
	conn     io.ReadWriteCloser
	dialogue *dialogue
	vars     map[string]string
	timeout  time.Duration
	scrub    *scrubber

	chunks  chan []byte
	readErr error // set before chunks is closed
	over    chan struct{}

	screen screen
	host   string // as the prompt has it
	prompt string // the one that came last
}

// newSession reads from conn until it is closed.
func newSession(conn io.ReadWriteCloser) *session {
	s := &session{conn: conn, chunks: make(chan []byte), over: make(chan struct{})}
	go func() {
		defer close(s.chunks)
		for {
			chunk := make([]byte, 4096)
			n, err := conn.Read(chunk)
			if n > 0 {
				select {
				case s.chunks <- chunk[:n]:
				case <-s.over:
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
	close(s.over)
	_ = s.conn.Close()
}

// promptAt tells whether line is our prompt.
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
	// A long name is cut short where the prompt tells the mode.
	return s.host == "" || host == s.host || len(host) >= 10 && strings.HasPrefix(s.host, host)
}

// await reads until the prompt comes, answers what is asked before, and returns what was printed. A prompt counts at once
// after the echo of what was sent: before it, it may be an earlier one, shown again below a message of the system. A CMTS
// that echoes nothing must print nothing more for settleLate.
func (s *session) await(ctx context.Context, sent string, answers []answer, timeout time.Duration, vars map[string]string) (string, error) {
	deadline := time.NewTimer(timeout)
	defer deadline.Stop()
	var quiet <-chan time.Time
	candidate := "" // a prompt, if nothing follows
	finished := ""  // a prompt that is a finished line: messages of the system may come on its heels
	scanned := 0    // of the finished lines
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
				return "", s.lost(s.readErr)
			}
			s.screen.write(chunk)
		case <-quiet:
			return found(candidate)
		case <-deadline.C:
			return "", fmt.Errorf("no prompt within %s, but %s", timeout, s.came())
		case <-ctx.Done():
			return "", fmt.Errorf("%w, while waiting for the prompt; there was %s", context.Cause(ctx), s.came())
		}
		// A peer that overwrites its line again and again prints nothing, and has no end either.
		if s.screen.size() > maxOutput || s.screen.written > 4*maxOutput {
			return "", fmt.Errorf("more than %d MB without a prompt, ending in %s", maxOutput>>20, s.came())
		}
		quiet, candidate = nil, ""
		if s.host != "" {
			if !echoed && sent != "" {
				from := max(scanned-len(sent), 0)
				if i := bytes.Index(s.screen.done[from:], []byte(sent)); i >= 0 {
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
				quiet = time.After(settleLate)
			}
		}
		line := s.screen.tail()
		if len(line) > 4096 {
			continue // nobody asks a question as long as that
		}
		if i := s.question(line, answers); i >= 0 {
			if asked[i] {
				if s.host == "" || strings.Contains(strings.ToLower(line), "password") {
					return "", fmt.Errorf("%w: it asks a second time, %q", ErrDenied, s.scrub.excerpt(line))
				}
				return "", fmt.Errorf("it asks a second time, %q", s.scrub.excerpt(line))
			}
			asked[i] = true
			reply := expand(answers[i].Send, vars)
			if names := variables(answers[i].Send); len(names) == 1 && reply == "" {
				return "", fmt.Errorf("it asks %q, and there is no %s", s.scrub.excerpt(line), fileKey(names[0]))
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
				candidate, quiet = line, time.After(settleLate)
			default:
				candidate, quiet = line, time.After(settle)
			}
		}
	}
}

func (s *session) question(line string, answers []answer) int {
	for i, a := range answers {
		if a.Expect.matches(line) {
			return i
		}
	}
	return -1
}

func fileKey(variable string) string {
	switch variable {
	case varPassword:
		return "password_file"
	case varEnable:
		return "enable_password_file"
	}
	return variable
}

func (s *session) came() string {
	if text := s.scrub.excerpt(s.screen.text()); text != "" {
		return fmt.Sprintf("%q", text)
	}
	return "nothing"
}

func (s *session) lost(err error) error {
	switch {
	case err == nil || errors.Is(err, io.EOF) || errors.Is(err, net.ErrClosed):
		return fmt.Errorf("the CMTS ended the session after %s", s.came())
	default:
		return fmt.Errorf("the session broke (%w) after %s", err, s.came())
	}
}

// send writes in its own time: a peer that does not read must not hold us.
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
			return s.lost(err)
		}
		return nil
	case <-timer.C:
		return fmt.Errorf("the CMTS did not take what was sent within %s", s.timeout)
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

// run goes through the steps for the interfaces given, and shows what reading steps printed.
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
				shown = expand(st.Send, showing(st.Send, name)) // of all variables, the interface alone
			}
			return fmt.Errorf("%q: %w", shown, err)
		}
		if st.Read != nil && read != nil {
			read(vars[varInterface], st.Read, output)
		}
	}
	return nil
}

// showing maps every variable of a template to itself, but the interface to its name.
func showing(template, iface string) map[string]string {
	m := map[string]string{}
	for _, name := range variables(template) {
		m[name] = "{{" + name + "}}"
	}
	m[varInterface] = iface
	return m
}

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
	if _, after, ok := strings.Cut(output, sent); ok { // its echo, and what came late before it
		output = after
	}
	for line := range strings.Lines(output) {
		line = strings.TrimRight(line, " \t\n")
		if s.dialogue.Errors.match(line) && !st.Tolerate.match(line) {
			if st.asksPassword() {
				return "", fmt.Errorf("%w: the CMTS does not take the password: %q", ErrDenied, s.scrub.excerpt(output))
			}
			return "", fmt.Errorf("the CMTS answered %q", s.scrub.excerpt(output))
		}
	}
	if st.Expect.Regexp != nil && !st.Expect.matches(s.prompt) {
		return "", fmt.Errorf("expected a prompt like %s, and there was %q after %q", st.Expect, s.scrub.excerpt(s.prompt), s.scrub.excerpt(output))
	}
	return output, nil
}
