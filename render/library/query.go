package library

import (
	"bytes"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// query is what a template asks the loader for, with the answer. It is immutable.
type query struct {
	key
	reply
}

// asking is the kind of a query.
type asking uint8

const (
	including asking = iota
	choosing
	reading
	readingHead
)

type reply struct {
	item    *syntax.Item
	choices []*skeleton.Choices
	data    []byte
	err     error
}

// key is the question.
type key struct {
	of   asking
	dir  string // of the source that asks
	name string // pieces are joined
	word bool
}

// queries are those of one load.
type queries struct {
	sync.Mutex
	made map[key]*query
	same map[*query]bool // queries of the load before, by whether they have the same answer now
}

func dirOf(at syntax.Pos) string { return filepath.Dir(at.File) }

func joined(pieces []string) string { return strings.Join(pieces, "\x00") }

// ask returns a query with its answer, which is the same for all that ask. at is a position in the source that asks.
func (l *loader) ask(k key, at syntax.Pos) *query {
	l.queries.Lock()
	known := l.queries.made[k]
	l.queries.Unlock()
	if known != nil {
		return known
	}
	q := &query{key: k}
	switch k.of {
	case including:
		q.item, q.err = l.include(at, k.name, k.word)
	case choosing:
		q.choices = l.candidates(at, strings.Split(k.name, "\x00"))
	case reading:
		q.data, q.err = l.readAsset(at, k.name)
	case readingHead:
		q.data, q.err = l.readHead(at, k.name)
	}
	l.queries.Lock()
	defer l.queries.Unlock()
	if known = l.queries.made[k]; known != nil {
		return known
	}
	if l.queries.made == nil {
		l.queries.made = map[key]*query{}
	}
	l.queries.made[k] = q
	return q
}

// still reports whether queries of the load before have the same answers. It is called by one goroutine.
func (l *loader) still(asked []*query) bool {
	for _, old := range asked {
		same, known := l.queries.same[old]
		if !known {
			if l.queries.same == nil {
				l.queries.same = map[*query]bool{}
			}
			now := l.ask(old.key, syntax.Pos{File: filepath.Join(old.dir, "-")})
			same = now.equal(&old.reply)
			l.queries.same[old] = same
			if same {
				l.queries.made[old.key] = old // one for both libraries
			}
		}
		if !same {
			return false
		}
	}
	return true
}

func (a *reply) equal(b *reply) bool {
	return a.item == b.item && bytes.Equal(a.data, b.data) && errorText(a.err) == errorText(b.err) &&
		slices.EqualFunc(a.choices, b.choices, func(x, y *skeleton.Choices) bool { return slices.Equal(x.Items, y.Items) })
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
