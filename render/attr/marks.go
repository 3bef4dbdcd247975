package attr

import "sync"

// Marker is a Source that compares what it loads with what it has loaded before.
type Marker interface {
	Source
	// Mark describes the last Load for SetMark.
	Mark() string
	// SetMark is called before Open and Load, and after a Load that was taken, with the Mark of the load that is served, which
	// may be of an earlier process; "": there is none, or whatever is different is to be accepted.
	SetMark(mark string)
}

// Marks remembers where changes begin, for a source that embeds it: it has the methods of a [Marker].
type Marks struct {
	mu     sync.Mutex
	loaded string // of the last load
	served string // of the load that is served
}

// SetLoaded notes the mark of a load.
func (m *Marks) SetLoaded(mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loaded = mark
}

// Mark implements [Marker].
func (m *Marks) Mark() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.loaded
}

// SetMark implements [Marker].
func (m *Marks) SetMark(mark string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.served = mark
}

// Rewind returns the mark of the load that is served if that is not the last load, which is held back: what it had of changes
// was not taken, and they begin from there.
func (m *Marks) Rewind() (mark string, held bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.served, m.served != m.loaded
}
