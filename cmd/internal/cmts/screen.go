package cmts

import "strings"

// screen turns terminal output into lines of text. It interprets carriage return and backspace, with which pagers erase their
// question, and drops all other control characters and sequences.
type screen struct {
	done    []byte // finished lines
	line    []byte // the unfinished line
	column  bool   // after a carriage return: the next character overwrites the line
	escape  escape
	written int // octets, in total
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

// tail returns the unfinished line without trailing spaces.
func (s *screen) tail() string { return strings.TrimRight(string(s.line), " \t") }

func (s *screen) text() string { return string(s.done) + string(s.line) }
