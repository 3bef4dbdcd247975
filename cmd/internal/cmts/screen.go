package cmts

import "strings"

// screen turns what a terminal is sent into lines of text: it obeys carriage return and backspace, with which pagers
// erase their question, and drops all other control. It is enough of a terminal for command lines, and no more.
type screen struct {
	done    []byte // finished lines
	line    []byte // the one that is being written
	column  bool   // a carriage return has been seen: what comes next overwrites the line
	escape  escape
	written int // octets taken in all
}

type escape uint8

const (
	plain escape = iota
	escaped
	control // within CSI … letter
)

func (s *screen) reset() { *s = screen{done: s.done[:0], line: s.line[:0]} }

func (s *screen) write(p []byte) {
	s.written += len(p)
	for _, c := range p {
		switch s.escape {
		case escaped:
			s.escape = plain
			if c == '[' {
				s.escape = control
			}
			continue
		case control:
			if c >= '@' && c <= '~' {
				s.escape = plain
			}
			continue
		case plain:
		}
		switch c {
		case 0x1b:
			s.escape = escaped
		case '\n':
			s.done = append(append(s.done, s.line...), '\n')
			s.line, s.column = s.line[:0], false
		case '\r':
			s.column = true
		case '\b':
			if n := len(s.line); n > 0 && !s.column {
				s.line = s.line[:n-1]
			}
		default:
			if c < ' ' && c != '\t' || c == 0x7f {
				continue
			}
			if s.column {
				s.line, s.column = s.line[:0], false
			}
			s.line = append(s.line, c)
		}
	}
}

func (s *screen) size() int { return len(s.done) + len(s.line) }

// tail is the unfinished line without the spaces at its end.
func (s *screen) tail() string { return strings.TrimRight(string(s.line), " \t") }

func (s *screen) text() string { return string(s.done) + string(s.line) }
