package console

import (
	"strings"
	"sync"
)

// events records the latest events.
type events struct {
	mu      sync.Mutex
	ring    []Event // by ID, modulo its length
	next    uint64  // ID of the next one; the first is 1
	dropped uint64
}

func newEvents(n int) *events { return &events{ring: make([]Event, n), next: 1} }

func (l *events) add(list []Event, dropped uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.dropped += dropped
	for _, e := range list {
		e.ID = l.next
		l.ring[e.ID%uint64(len(l.ring))] = e
		l.next++
	}
}

// query is a search. All words of Text must be in MAC (with any separators), IP address, name, reason or value.
type query struct {
	Text   string
	Reason string
	Which  string // failed, served; else all
	Before uint64 // only events with a lower ID; 0: all
	Limit  int
}

func (l *events) search(q query) Events {
	words := strings.Fields(strings.ToLower(q.Text))
	macs := make([]string, len(words))
	for i, w := range words {
		macs[i] = macDigits(w)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := uint64(1)
	if n := uint64(len(l.ring)); l.next > n {
		oldest = l.next - n
	}
	out := Events{Events: []Event{}, Kept: int(l.next - oldest), Held: l.dropped}
	from := l.next
	if q.Before > 0 {
		from = min(from, q.Before)
	}
	for id := from; id > oldest; id-- {
		e := &l.ring[(id-1)%uint64(len(l.ring))]
		if q.Which == "failed" && e.Served || q.Which == "served" && !e.Served || q.Reason != "" && e.Reason != q.Reason || !fits(e, words, macs) {
			continue
		}
		if len(out.Events) == q.Limit {
			out.More = true
			break
		}
		out.Events = append(out.Events, *e)
	}
	return out
}

// fits reports whether an event contains all words.
func fits(e *Event, words, macs []string) bool {
	if len(words) == 0 {
		return true
	}
	mac := e.MAC.String()
	all := strings.ToLower(e.Name + "\n" + e.Client.String() + "\n" + mac + "\n" + e.Reason + "\n" + e.Text + "\n" + e.Value)
	plain := macDigits(mac)
	for i, w := range words {
		if !strings.Contains(all, w) && (macs[i] == "" || !strings.Contains(plain, macs[i])) {
			return false
		}
	}
	return true
}

// macDigits returns the digits of a MAC address or of a part of one, "" if s is neither.
func macDigits(s string) string {
	digits := strings.NewReplacer(":", "", "-", "", ".", "").Replace(s)
	if len(digits) < 4 || len(digits) > 12 || strings.Trim(digits, "0123456789abcdef") != "" {
		return ""
	}
	return digits
}
