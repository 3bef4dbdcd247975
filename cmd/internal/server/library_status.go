package server

import (
	"sync"
	"time"

	"dcs/cmd/internal/assemble"
)

// libraryStatus is the result of loading the library.
type libraryStatus struct {
	mu     sync.Mutex
	loaded time.Time
	failed time.Time // zero: the last load succeeded
	errs   []error

	loads, failures uint64
}

func (l *libraryStatus) note(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil {
		l.loads++
		l.loaded, l.failed, l.errs = time.Now(), time.Time{}, nil
		return
	}
	l.failures++
	l.failed, l.errs = time.Now(), assemble.Flatten(err)
	if l.loaded.IsZero() {
		l.loaded = l.failed // the server started with the templates that loaded
	}
}
