package plugin

import (
	"context"
	"errors"

	"dcs/render/attr"
)

// change queues the changes of a message for Follow.
func (p *process) change(m *message) error {
	if !p.cfg.Changes {
		return errors.New("unexpected change; changes: true is not configured")
	}
	var bad error
	add := make([]attr.Change, 0, len(m.Changed))
	for _, c := range m.Changed {
		if c == nil {
			bad = errors.New("null in changes")
			continue
		}
		ch := attr.Change{Gone: c.Gone}
		if err := p.device(c, &ch.Device); err != nil {
			bad = err
			continue
		}
		add = append(add, ch)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queueChanges(append(p.changes, add...), m.Reload)
	return bad
}

func (p *process) takeChanges() (changes []attr.Change, reload bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changes, reload = p.changes, p.reload
	p.changes, p.reload = nil, false
	return changes, reload
}

// clearReload drops a request for a reload, because the list is about to be requested. Changes stay queued: the list has them
// too, but may be held back.
func (p *process) clearReload() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reload = false
}

// requeue puts what takeChanges returned before what has come since.
func (p *process) requeue(changes []attr.Change, reload bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.queueChanges(append(changes, p.changes...), reload)
}

// queueChanges sets the queue, or requests a reload instead if it is too long. With reload it does both. p.mu must be held.
func (p *process) queueChanges(changes []attr.Change, reload bool) {
	p.changes, p.reload = changes, p.reload || reload
	if len(p.changes) > maxChanges {
		p.changes, p.reload = nil, true
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// Follow implements [attr.Follower].
func (f follower) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	p, err := f.current()
	if err != nil {
		return f.wrap("follow", err)
	}
	f.mu.Lock()
	loadedBy := f.loadedBy
	f.mu.Unlock()
	if loadedBy != p {
		return f.wrap("follow", errors.New("restarted since the last list"))
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-p.dead:
			return f.wrap("follow", p.cause())
		case <-p.news:
		}
		changes, reload := p.takeChanges()
		for len(changes) > 0 {
			n := min(batch, len(changes))
			if err := apply(changes[:n]); err != nil {
				p.requeue(changes, reload) // a load may follow, and be held back
				return err
			}
			changes = changes[n:]
		}
		if reload { // after the changes, since the load may be held back
			if err := apply(nil); err != nil {
				return err
			}
		}
	}
}
