package attr

import "sync"

// Marker is a Source that needs to know what was loaded before, across restarts.
type Marker interface {
	Source
	// Mark returns the state of the last Load, in a form that SetMark understands.
	Mark() string
	// SetMark is called before Open and Load, and after a Load was accepted, with the Mark of the load that is in service,
	// possibly that of an earlier process. An empty mark means that there is none, or that any difference is accepted.
	SetMark(mark string)
}

// Marks implements the methods of a [Marker] for a source that embeds it: it stores from where changes are to be read.
type Marks struct {
	mu     sync.Mutex
	loaded string // mark of the last load
	served string // mark of the load that is in service
}

// SetLoaded stores the mark of a load.
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

// Rewind returns the mark of the load that is in service, and whether the last load was held back. If so, its changes were
// not accepted, and have to be read again from that mark.
func (m *Marks) Rewind() (mark string, heldBack bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.served, m.served != m.loaded
}
