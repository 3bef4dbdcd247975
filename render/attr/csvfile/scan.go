package csvfile

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// maxRecord is the longest row, in octets. It bounds how far an unclosed quote reaches.
const maxRecord = 256 << 10

// scanner splits a file into rows and fields as of RFC 4180. After a malformed row it continues with the next line, wherever
// the row's quotes may seem to end.
type scanner struct {
	r     io.Reader
	comma byte
	buf   []byte
	start int // buf[start:end] is still to be read
	end   int
	line  int // number of the line at start, from 1
	eof   bool

	fields []string
}

// badRow is the error of a malformed row.
type badRow struct {
	line   int
	reason string
}

func (e *badRow) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.reason) }

func newScanner(r io.Reader, comma byte) *scanner {
	return &scanner{r: r, comma: comma, buf: make([]byte, 2*maxRecord), line: 1}
}

// fill reads more of the file. It returns io.EOF at its end.
func (s *scanner) fill() error {
	if s.eof {
		return io.EOF
	}
	if s.end == len(s.buf) {
		s.end = copy(s.buf, s.buf[s.start:s.end])
		s.start = 0
	}
	n, err := s.r.Read(s.buf[s.end:])
	s.end += n
	if err == io.EOF {
		s.eof = true
		return nil
	}
	return err
}

// next returns the fields of the next row that is not empty, and its line. They are valid until the next call. The error is a
// *badRow, after which the next row can be read, io.EOF, or that of the reader.
func (s *scanner) next() (fields []string, line int, err error) {
	for {
		n, lines, reason := s.row(s.buf[s.start:s.end])
		switch {
		case reason != "":
		case n > maxRecord || n == 0 && s.end-s.start > maxRecord:
			if reason = fmt.Sprintf("row is longer than %d octets; is a quote not closed?", maxRecord); hasBareCR(s.buf[s.start:s.end]) {
				reason = fmt.Sprintf("row is longer than %d octets: %s", maxRecord, bareCR)
			}
		case n > 0:
		case s.eof && s.start == s.end:
			return nil, s.line, io.EOF
		default: // incomplete
			if err := s.fill(); err != nil {
				return nil, s.line, err
			}
			continue
		}
		line = s.line
		if reason != "" {
			if err := s.skipLine(); err != nil {
				return nil, line, err
			}
			return nil, line, &badRow{line, reason}
		}
		s.start += n
		s.line += lines
		if len(s.fields) == 1 && s.fields[0] == "" {
			continue
		}
		return s.fields, line, nil
	}
}

// skipLine skips the rest of the line.
func (s *scanner) skipLine() error {
	s.line++
	for {
		if i := bytes.IndexByte(s.buf[s.start:s.end], '\n'); i >= 0 {
			s.start += i + 1
			return nil
		}
		s.start = s.end
		if s.eof {
			return nil
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
}

// row parses the row at the beginning of b. It returns its octets and lines: no octets if b does not hold all of it, and a
// reason if it is malformed.
func (s *scanner) row(b []byte) (n, lines int, reason string) {
	s.fields = s.fields[:0]
	end, plain := s.rowEnd(b)
	if plain && end >= 0 { // the common case: no quotes
		text := string(trimCR(b[:end]))
		for {
			i := strings.IndexByte(text, s.comma)
			if i < 0 {
				s.fields = append(s.fields, text)
				return min(end+1, len(b)), 1, ""
			}
			s.fields = append(s.fields, text[:i])
			text = text[i+1:]
		}
	}
	if plain {
		return 0, 0, ""
	}
	at := 0
	for {
		if at < len(b) && b[at] == '"' {
			text, size, ok, newlines := quoted(b[at:], s.eof)
			lines += newlines
			switch {
			case !ok && s.eof:
				return 0, 0, "unclosed quote"
			case !ok:
				return 0, 0, ""
			}
			s.fields = append(s.fields, text)
			at += size
		} else {
			i := at
			for i < len(b) && b[i] != s.comma && b[i] != '\n' {
				if b[i] == '"' {
					return 0, 0, fmt.Sprintf("quote within unquoted field %d", len(s.fields)+1)
				}
				i++
			}
			if i == len(b) && !s.eof {
				return 0, 0, ""
			}
			text := b[at:i]
			if i == len(b) || b[i] == '\n' {
				text = trimCR(text)
			}
			s.fields = append(s.fields, string(text))
			at = i
		}
		switch {
		case at == len(b):
			return at, lines + 1, ""
		case b[at] == '\n':
			return at + 1, lines + 1, ""
		case b[at] == '\r' && at+1 == len(b) && s.eof:
			return at + 1, lines + 1, ""
		case b[at] == '\r' && at+1 < len(b) && b[at+1] == '\n':
			return at + 2, lines + 1, ""
		case b[at] == s.comma:
			at++
			if at == len(b) && !s.eof {
				return 0, 0, ""
			}
		case b[at] == '\r':
			return 0, 0, bareCR
		default:
			return 0, 0, fmt.Sprintf("text after the closing quote of field %d", len(s.fields))
		}
	}
}

// rowEnd returns the index of the end of b's first line, -1 if it is not in b, and whether the line has no quote.
func (s *scanner) rowEnd(b []byte) (end int, plain bool) {
	end = bytes.IndexByte(b, '\n')
	if end < 0 {
		if plain = bytes.IndexByte(b, '"') < 0; s.eof && len(b) > 0 {
			return len(b), plain
		}
		return -1, plain
	}
	return end, bytes.IndexByte(b[:end], '"') < 0
}

// quoted parses the quoted field at the beginning of b. It is not ok if b does not hold its end, or not enough of what follows
// to tell a closing quote from an escaped one.
func quoted(b []byte, eof bool) (text string, size int, ok bool, newlines int) {
	var out []byte
	from := 1
	for {
		i := bytes.IndexByte(b[from:], '"')
		if i < 0 {
			return "", 0, false, 0
		}
		i += from
		// Two more octets are needed, so that a CR LF is not split.
		if i+2 >= len(b) && !eof {
			return "", 0, false, 0
		}
		if i+1 < len(b) && b[i+1] == '"' {
			out = append(out, b[from:i+1]...)
			from = i + 2
			continue
		}
		out = append(out, b[from:i]...)
		return string(out), i + 1, true, bytes.Count(out, []byte{'\n'})
	}
}

// bareCR is the reason for rows of files with the line ends of old Macintoshes.
const bareCR = "CR without LF; save the file with LF or CR LF at the end of each line"

func hasBareCR(b []byte) bool {
	return bytes.Count(b, []byte{'\r'}) > bytes.Count(b, []byte("\r\n"))
}

func trimCR(b []byte) []byte {
	if n := len(b); n > 0 && b[n-1] == '\r' {
		return b[:n-1]
	}
	return b
}
