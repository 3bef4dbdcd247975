package reason

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// EventID returns the numeric id of a DOCSIS event, such as 73040300 for I403.0: the ASCII code of the letter × 1,000,000, the
// number × 100, and the number after the dot.
func EventID(letter byte, number, sub int) int { return int(letter)*1_000_000 + number*100 + sub }

// eventName returns the name of an event id, such as "I403.0"; "" if it is none.
func eventName(id int) string {
	letter, number, sub := id/1_000_000, id/100%10_000, id%100
	if letter < 'A' || letter > 'Z' {
		return ""
	}
	return fmt.Sprintf("%c%02d.%d", letter, number, sub)
}

var (
	eventText = regexp.MustCompile(`^(?i)([A-Z])([0-9]{2,4})(?:\.([0-9]{1,2}))?$`)
	inMarks   = regexp.MustCompile(`<([0-9]{8})>`)                         // an event id in a line of a log
	logName   = regexp.MustCompile(`%[A-Za-z0-9_]+-[0-7]-([A-Za-z0-9_]+)`) // a message of Cisco's IOS
	numbered  = regexp.MustCompile(`^(.*?)[ .:=#(]*([0-9]+)\)?$`)
)

// Parse reads what a CMTS or a modem says: a state in the words of Cisco, ARRIS, Casa or a MIB, such as reject(c) or
// rejectBadCos(9); a number of one, such as "CDX 9" or "docsDevServerBootState 7"; a confirmation code from 0 to 255; an event,
// such as I403.0 or 73040300; a BPKM error code, such as "BPKM 6"; the provisioning state of an MTA; or a line of a log with one
// of these. Letter case, blanks and parentheses do not matter. The error for another word names similar ones.
func Parse(text string) (Word, error) {
	text = strings.TrimSpace(text)
	if m := inMarks.FindStringSubmatch(text); m != nil {
		text = m[1]
	} else if m := logName.FindStringSubmatch(text); m != nil {
		text = m[1]
	}
	if n, err := strconv.Atoi(text); err == nil {
		return number(n)
	}
	if w, ok := byName(plain(text)); ok {
		return w, nil
	}
	if m := eventText.FindStringSubmatch(text); m != nil {
		number, _ := strconv.Atoi(m[2])
		sub, _ := strconv.Atoi(m[3])
		return event(EventID(strings.ToUpper(m[1])[0], number, sub), m[3] != "")
	}
	if m := numbered.FindStringSubmatch(text); m != nil {
		if w, ok, err := ofObject(plain(m[1]), m[2]); ok {
			return w, err
		}
		if w, ok := byName(plain(m[1])); ok && strings.Contains(text, "(") {
			return w, nil // a label and its number, such as rejectBadCos(9)
		}
	}
	return Word{}, unknown(text)
}

// plain removes what spellings differ by: letter case, blanks, punctuation, Cisco's marks before a state.
func plain(text string) string {
	text = strings.TrimPrefix(strings.ToLower(strings.TrimLeft(text, "!#*^ ")), "w-") // w-online: wideband
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, text)
}

// number returns the word of a number that says nothing of itself.
func number(n int) (Word, error) {
	switch {
	case n >= 0 && n <= 255:
		return confirmation(n)
	case eventName(n) != "":
		return event(n, true)
	}
	return Word{}, fmt.Errorf("%d: no such number; a confirmation code is 0 to 255, an event id such as 73040300 has eight digits", n)
}

// byName returns the word of a plain name.
func byName(name string) (Word, bool) {
	for _, t := range [][]state{states, keyStates, logStates, mtaStates} {
		for i := range t {
			if s := &t[i]; plain(s.Text) == name || slices.ContainsFunc(strings.Fields(s.also), func(a string) bool { return plain(a) == name }) {
				return s.Word, true
			}
		}
	}
	return Word{}, false
}

// ofObject returns the word for a number of a MIB object, a BPKM error or a confirmation code; ok is false if it is none of
// these.
func ofObject(name, digits string) (w Word, ok bool, err error) {
	n, _ := strconv.Atoi(digits) // too large: no table has it
	switch name {
	case "code", "confirmationcode", "rspcode", "response":
		w, err = confirmation(n)
		return w, true, err
	case "bpkm", "bpkmerror", "bpkmerrorcode", "bpkmcode":
		w, err = keyError(n)
		return w, true, err
	}
	for i := range objects {
		o := &objects[i]
		if !slices.ContainsFunc(strings.Fields(o.names), func(a string) bool { return plain(a) == name }) {
			continue
		}
		label := o.labels[n]
		if label == "" {
			return w, true, fmt.Errorf("%s %s: no such value of a modem that is not online; there are %s", strings.Fields(o.names)[0], digits, numbers(o.labels))
		}
		w, _ = byName(plain(label)) // every label is a state
		return w, true, nil
	}
	return w, false, nil
}

// numbers lists the keys of m in order.
func numbers(m map[int]string) string {
	var keys []int
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	var b strings.Builder
	for i, k := range keys {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(k))
	}
	return b.String()
}

// confirmation returns the word of a confirmation code.
func confirmation(n int) (Word, error) {
	for i := range codes {
		if c := &codes[i]; slices.Contains(c.numbers, n) {
			w := c.Word
			w.Text = "confirmation code " + strconv.Itoa(n)
			return w, nil
		}
	}
	return Word{}, fmt.Errorf("confirmation code %d: no meaning is known; codes are 0 to 49, 180 to 182 and 200 to 209", n)
}

// keyError returns the word of a BPKM error code.
func keyError(n int) (Word, error) {
	if n < 0 || n >= len(keyErrors) {
		return Word{}, fmt.Errorf("BPKM error %d: codes are 0 to %d", n, len(keyErrors)-1)
	}
	w := keyErrors[n]
	w.Text = "BPKM error " + strconv.Itoa(n)
	return w, nil
}

// event returns the word of an event. If exact is false, only its letter and number are known.
func event(id int, exact bool) (Word, error) {
	name := eventName(id)
	for i := range events {
		e := &events[i]
		if id < e.from || id > e.to {
			continue
		}
		w := e.Word
		if !exact {
			name, _, _ = strings.Cut(name, ".")
			w.Text = "event " + name
		} else {
			w.Text = fmt.Sprintf("event %s (%d)", name, id)
		}
		return w, nil
	}
	return Word{}, fmt.Errorf("event %s (%d): no meaning is known; events begin with D, E, I, R, T or U", name, id)
}
