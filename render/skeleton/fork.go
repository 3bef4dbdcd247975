package skeleton

import (
	"errors"
	"maps"
	"slices"

	"dcs/render/syntax"
)

// ErrCommon is the error of New and CheckBlock in a fork, for an item that may include others by a variable: what these lead to is found
// for all templates in common. Use the Env that the fork was made from.
var ErrCommon = errors.New("skeleton: not checked in a fork")

// Fork returns an Env with the same settings and functions for another goroutine. What New makes in it depends on the item alone and on
// what the functions return; its templates are served once they are In an Env that is sealed.
func (e *Env) Fork() *Env {
	return &Env{
		MIB: e.MIB, Schema: e.Schema, Lenient: e.Lenient, Timestamp: e.Timestamp, ModemAddress: e.ModemAddress,
		Include: e.Include, Candidates: e.Candidates, ReadFile: e.ReadFile, ReadHead: e.ReadHead, Path: e.Path, Warn: e.Warn, room: new(room),
	}
}

// Reader returns the reader that a fork parses the bodies of its items with. Its caller parses another.
func (e *Env) Reader() *syntax.Reader {
	e.room.item, e.room.body = nil, nil
	return &e.room.reader
}

// Checked returns the items included by name in the last template that was made in a fork, or in all that were made in an Env.
func (e *Env) Checked() []*syntax.Item { return slices.Collect(maps.Keys(e.checked)) }

// begin forgets, in a fork, what the last item has left, and makes it ready for another.
func (e *Env) begin(it *syntax.Item) {
	if e.room != nil {
		e.room.begin(it)
		clear(e.memo)
		clear(e.checked)
	}
}

// In returns the same template in another Env, whose functions must return the same for everything that it includes. With nil, it cannot
// be specialized, and refers to no Env.
func (t *Template) In(env *Env) *Template {
	other := *t
	other.env = env
	return &other
}
