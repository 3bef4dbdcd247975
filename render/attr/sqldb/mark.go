package sqldb

import (
	"encoding/json"
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

// encodeMark returns a watermark as text; "": there is none.
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

// decodeMark undoes encodeMark; nil: text is none.
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

// rewind has changes begin from the load that is served, if the last one is held back.
func (s *source) rewind() {
	text, held := s.Rewind()
	mark := decodeMark(text)
	if !held || mark == nil {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mark, s.seen = mark, nil
}
