package render

import (
	"errors"
	"fmt"
	"time"

	"dcs/render/library"
)

// lossWindow is the time over which lost names are added up: an "rsync --delete" of a large directory is seen in many steps.
const lossWindow = time.Hour

// ErrHeldBack is wrapped by the error of a library that has lost so many names that it is not served.
var ErrHeldBack = errors.New("library held back")

func heldBack(l *library.Loss) error {
	what := fmt.Sprintf("%d of %d names", l.Gone, l.Names)
	switch {
	case l.Empty:
		what = fmt.Sprintf("it has become empty: %d names", l.Gone)
	case l.Emptied != "":
		what = fmt.Sprintf("%s has no files any more: %s", l.Emptied, what)
	}
	example := ""
	if l.Example != "" {
		example = ", such as " + l.Example
	}
	return fmt.Errorf("%w: %s would get no file any more, or that of a pattern%s; dcs reload --force accepts it", ErrHeldBack, what, example)
}

func (e *Engine) now() (t time.Time) {
	if e.cfg.Now != nil {
		t = e.cfg.Now()
	}
	return t
}

// earlierNames are the names of the library before it began to lose some.
type earlierNames struct {
	names *library.Names // nil: none were lost recently
	since time.Time
}

// loss returns the loss of next if it is suspicious, compared with before or with the names at the start of the current [lossWindow].
func (f *earlierNames) loss(before, next *library.Snapshot, now time.Time) *library.Loss {
	names := before.Names()
	loss := names.Loss(next)
	if loss.Suspicious() {
		return &loss
	}
	if f.names != nil && now.Sub(f.since) < lossWindow {
		all := f.names.Loss(next)
		if all.Suspicious() {
			return &all
		}
		if all.Gone == 0 {
			*f = earlierNames{}
		}
		return nil
	}
	*f = earlierNames{}
	if loss.Gone > 0 {
		*f = earlierNames{names, now}
	}
	return nil
}
