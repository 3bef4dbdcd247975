package naming

import (
	"errors"
	"fmt"
	"strings"
)

// A RemapLine is a line of a map file of tftpd-hpa (in.tftpd(8), "Filename remapping"), converted to a [Rule].
type RemapLine struct {
	Line int
	Text string // without the comment
	Rule Rule   // the equivalent, if Err is nil and Skip is empty
	Skip string // why no rule is needed
	Note string // how Rule differs; empty: not at all
	Err  error  // why there is no equivalent
}

// Remap converts a map file. Empty lines and comments are left out.
func Remap(src string) (lines []RemapLine) {
	for i, text := range strings.Split(src, "\n") {
		fields, ok := remapFields(text)
		if len(fields) == 0 {
			continue
		}
		l := RemapLine{Line: i + 1, Text: strings.Join(fields, " ")}
		if !ok {
			l.Err = errors.New("more than three fields; a line has an operation, an expression and a replacement")
		} else {
			l.read(fields)
		}
		lines = append(lines, l)
	}
	return lines
}

// remapFields splits a line at white space, up to a comment; a backslash escapes white space and #. ok is false if there are more
// than three fields.
func remapFields(line string) (fields []string, ok bool) {
	field, escaped := "", false
	end := func() {
		if field != "" {
			fields = append(fields, field)
		}
		field = ""
	}
	for i := range len(line) {
		c := line[i]
		space := strings.IndexByte(" \t\r\v\f", c) >= 0
		if !escaped && c == '#' {
			break
		}
		if !escaped && space {
			end()
			continue
		}
		escaped = !escaped && c == '\\'
		field += line[i : i+1]
	}
	end()
	return fields, len(fields) <= 3
}

func (l *RemapLine) read(fields []string) {
	var re, to string
	if len(fields) > 1 {
		re = fields[1]
	}
	if len(fields) > 2 {
		to = fields[2]
	}
	if re == "" {
		l.Err = errors.New("operation without an expression")
		return
	}
	var inverse, fold bool
	for _, op := range fields[0] {
		switch op {
		case 'r':
			l.Rule.Rewrite = true
		case 'g':
			l.Rule.Repeat = true
		case 'i':
			fold = true
		case 'e':
			l.Rule.Last = true
		case 'a':
			l.Rule.Refuse = true
		case '~':
			inverse = true
		case 'G':
		case 'P':
			l.Skip = "applies to write requests, which are always refused"
		case 's':
			l.Err = errors.New("s: rules do not start over; repeat the rules that are meant after this one")
		case '4', '6':
			l.Err = fmt.Errorf("%c: rules cannot depend on the client's address; use $ip in a template", op)
		default:
			l.Err = fmt.Errorf("%c: unknown operation", op)
		}
	}
	if l.Err != nil || l.Skip != "" {
		return
	}
	re, err := fromERE(re)
	if err == nil && l.Rule.Rewrite {
		l.Rule.To, err = fromReplacement(to)
	}
	if l.Err = err; err != nil {
		return
	}
	if strings.Contains(re, "|") {
		l.Note = "the first alternative that matches is used; tftpd-hpa uses the longest"
	}
	if fold {
		re = "(?i)" + re
	}
	if l.Rule.Refuse { // nothing else in the line has an effect
		l.Rule.Rewrite, l.Rule.Repeat, l.Rule.Last, l.Rule.To = false, false, false, ""
	}
	if inverse {
		l.Rule.Unless = re
	} else {
		l.Rule.Match = re
	}
	if !l.Rule.Rewrite && !l.Rule.Refuse && !l.Rule.Last {
		l.Skip = "no effect"
		return
	}
	check := l.Rule
	l.Err = check.Compile()
}

// fromReplacement converts a replacement: \1 becomes $1.
func fromReplacement(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case c == '$':
			b.WriteString("$$")
			continue
		case c != '\\':
			b.WriteByte(c)
			continue
		}
		if i++; i == len(s) {
			return "", errors.New("backslash at the end of the replacement")
		}
		switch c := s[i]; {
		case '0' <= c && c <= '9':
			b.WriteString("$" + string(c))
		case c == 'U' || c == 'L' || c == 'E' || c == '\\':
			b.WriteString(`\` + string(c))
		case c == 'i' || c == 'x':
			return "", fmt.Errorf(`\%c: rules cannot depend on the client's address; use $ip in a template`, c)
		case c == '$':
			b.WriteString("$$")
		default:
			b.WriteByte(c)
		}
	}
	return b.String(), nil
}

// fromERE converts a POSIX extended regular expression, as glibc reads it, to RE2.
func fromERE(s string) (string, error) {
	var b strings.Builder
	repeatable, repeated := false, false // whether a repetition may follow, and whether one precedes
	for i := 0; i < len(s); {
		c := s[i]
		switch c {
		case '\\':
			if i+1 == len(s) {
				return "", errors.New("backslash at the end of the expression")
			}
			text, err := fromEscape(s[i+1])
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += 2
			repeatable, repeated = true, false
			continue
		case '[':
			text, n, err := fromBracket(s[i:])
			if err != nil {
				return "", err
			}
			b.WriteString(text)
			i += n
			repeatable, repeated = true, false
			continue
		case '*', '+', '?', '{':
			text, n, err := fromRepetition(s[i:])
			switch {
			case err != nil:
				return "", err
			case !repeatable:
				return "", fmt.Errorf("nothing to repeat before %c", c)
			case repeated:
				return "", fmt.Errorf("%c after another repetition; put the first in parentheses", c)
			}
			b.WriteString(text)
			i += n
			repeated = true
			continue
		case '(', '|', '^':
			repeatable, repeated = false, false
		default:
			repeatable, repeated = true, false
		}
		b.WriteByte(c)
		i++
	}
	return b.String(), nil
}

// fromRepetition converts the repetition at the start of s, which has n octets.
func fromRepetition(s string) (text string, n int, err error) {
	if s[0] != '{' {
		return s[:1], 1, nil
	}
	inner, _, ok := strings.Cut(s[1:], "}")
	if !ok || strings.Trim(inner, "0123456789,") != "" || strings.Trim(inner, ",") == "" || strings.Count(inner, ",") > 1 {
		return "", 0, errors.New("invalid repetition; write {n}, {n,} or {n,m}")
	}
	if n = len(inner) + 2; inner[0] == ',' {
		inner = "0" + inner
	}
	return "{" + inner + "}", n, nil
}

// fromEscape converts a backslash followed by c.
func fromEscape(c byte) (string, error) {
	switch {
	case '1' <= c && c <= '9':
		return "", fmt.Errorf(`\%c: RE2 has no back-references`, c)
	case c == '<' || c == '>':
		return `\b`, nil
	case c == '`':
		return `\A`, nil
	case c == '\'':
		return `\z`, nil
	case strings.IndexByte("wWsSbB", c) >= 0:
		return `\` + string(rune(c)), nil
	case 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c == '0' || c >= 0x80:
		return string([]byte{c}), nil
	}
	return `\` + string(rune(c)), nil
}

// fromBracket converts the bracket expression at the start of s, which has n octets. A backslash in it is an ordinary character.
func fromBracket(s string) (text string, n int, err error) {
	var b strings.Builder
	b.WriteByte('[')
	i := 1
	if i < len(s) && s[i] == '^' {
		b.WriteByte('^')
		i++
	}
	for first := true; i < len(s); first = false {
		c := s[i]
		switch {
		case c == ']' && !first:
			b.WriteByte(']')
			return b.String(), i + 1, nil
		case strings.HasPrefix(s[i:], "[:"):
			end := strings.Index(s[i:], ":]")
			if end < 0 {
				return "", 0, errors.New("[: without :]")
			}
			b.WriteString(s[i : i+end+2])
			i += end + 2
			continue
		case strings.HasPrefix(s[i:], "[.") || strings.HasPrefix(s[i:], "[="):
			return "", 0, errors.New("RE2 has no collating elements")
		case c == '\\' || c == '[' || c == ']':
			b.WriteString(`\` + string(rune(c)))
		default:
			b.WriteByte(c)
		}
		i++
	}
	return "", 0, errors.New("[ without ]")
}
