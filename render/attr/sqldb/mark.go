package sqldb

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"dcs/render/attr"
)

// A load's mark is its watermark.
var (
	_ attr.Marker = follower{}
	_ attr.Marker = askerFollower{}
)

// savedMark is a watermark as text. One field of it is set.
type savedMark struct {
	Time  *time.Time `json:"time,omitempty"`
	Int   *int64     `json:"int,omitempty"`
	Uint  *uint64    `json:"uint,omitempty"`
	Float *float64   `json:"float,omitempty"`
	Text  *string    `json:"text,omitempty"`
	Bytes []byte     `json:"bytes,omitempty"`
}

// encodeMark returns a watermark as text, "" for none.
func encodeMark(mark any) string {
	var m savedMark
	switch v := mark.(type) {
	case time.Time:
		m.Time = &v
	case int64:
		m.Int = &v
	case uint64:
		m.Uint = &v
	case float64:
		m.Float = &v
	case string:
		m.Text = &v
	case []byte:
		m.Bytes = v
	default:
		return ""
	}
	text, err := json.Marshal(m)
	if err != nil {
		return ""
	}
	return string(text)
}

// decodeMark is the inverse of encodeMark. It returns nil if text is not a watermark.
func decodeMark(text string) any {
	var m savedMark
	if json.Unmarshal([]byte(text), &m) != nil {
		return nil
	}
	switch {
	case m.Time != nil:
		return *m.Time
	case m.Int != nil:
		return *m.Int
	case m.Uint != nil:
		return *m.Uint
	case m.Float != nil:
		return *m.Float
	case m.Text != nil:
		return *m.Text
	case m.Bytes != nil:
		return m.Bytes
	}
	return nil
}

// rewind makes changes begin from the load that is in service, if the last one is held back.
func (s *source) rewind() {
	text, heldBack := s.Rewind()
	mark := decodeMark(text)
	if !heldBack || mark == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.seen = mark, nil
}

// later returns the later of two watermarks, of which a may be nil.
func (s *source) later(a, b any) (any, error) {
	if _, isTime := b.(time.Time); isTime && s.drv.TextTimes {
		return nil, fmt.Errorf("column %s: times of %s have no fixed form; use a number, or CAST(… AS TEXT) of a form that sorts", s.cfg.Watermark, s.drv.Name)
	}
	later, err := later(a, b)
	if err != nil {
		return nil, fmt.Errorf("column %s: %w", s.cfg.Watermark, err)
	}
	return later, nil
}

func later(a, b any) (any, error) {
	if b == nil {
		return a, nil
	}
	if raw, ok := b.([]byte); ok {
		b = bytes.Clone(raw)
	}
	first := a == nil
	if first {
		a = b
	}
	var greater, same bool
	switch b := b.(type) {
	case time.Time:
		greater, same = follows(a, b, time.Time.Before)
	case int64:
		greater, same = follows(a, b, cmp.Less)
	case uint64:
		greater, same = follows(a, b, cmp.Less)
	case float64:
		greater, same = follows(a, b, cmp.Less)
	case string:
		greater, same = follows(a, b, textLater)
	case []byte:
		greater, same = follows(a, b, func(a, b []byte) bool { return textLater(string(a), string(b)) })
	default:
		return nil, fmt.Errorf("type %T cannot be a watermark", b)
	}
	switch {
	case !same:
		return nil, fmt.Errorf("watermark of type %T after one of type %T", b, a)
	case greater:
		return b, nil
	}
	return a, nil
}

// follows reports whether b is greater than a, by less, and whether a is of the type of b.
func follows[T any](a any, b T, less func(a, b T) bool) (greater, same bool) {
	x, same := a.(T)
	return same && less(x, b), same
}

// textLater reports whether b sorts after a: octet by octet, or by value if both are numbers.
func textLater(a, b string) bool {
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if digits(a) && digits(b) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		if len(a) != len(b) {
			return len(b) > len(a)
		}
	}
	return b > a
}
