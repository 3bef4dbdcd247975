package render

import (
	"errors"
	"fmt"
	"time"

	"dcs/render/library"
)

// lossWindow is how long names that were lost count together: "rsync --delete" of a large directory is seen in many steps.
const lossWindow = time.Hour

// ErrHeldBack is wrapped when a library has lost so much that it is not served.
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

// formerNames are the names that a library had before it began to lose some.
type formerNames struct {
	names *library.Names // nil: none were lost of late
	since time.Time
}

// loss returns what next has lost, if that is suspicious: against before, or against the names that were there at the
// first loss of the last [lossWindow].
func (f *formerNames) loss(before, next *library.Snapshot, now time.Time) *library.Loss {
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
			*f = formerNames{}
		}
		return nil
	}
	*f = formerNames{}
	if loss.Gone > 0 {
		*f = formerNames{names, now}
	}
	return nil
}
