package library

import (
	"slices"

	"dcs/render/syntax"
)

// together is the items that are compiled one after the other, because what a variable includes is found for all of them in common, with
// limits that they share. They are compiled again if one of them changes, or anything that they include.
type together struct {
	worker  *worker
	items   []*syntax.Item
	asked   []*query
	checked []*syntax.Item
}

// unit is an item to compile.
type unit struct {
	file *sourceFile
	at   int // in its Items
}

func (u *unit) item() *syntax.Item { return u.file.Items[u.at] }

// list returns the items of all sources that want, in order.
func (l *loader) list(want func(f *sourceFile, it *syntax.Item) bool) (list []unit) {
	for _, path := range l.order {
		f := l.files[path]
		for i, it := range f.Items {
			if want(f, it) {
				list = append(list, unit{f, i})
			}
		}
	}
	return list
}

// compile compiles the items of all sources that are not compiled yet, or depend on what has changed.
func (l *loader) compile() {
	l.units = l.list((*sourceFile).answers)
	var changed, common []unit
	again := false
	for _, u := range l.units {
		switch c := u.file.made[u.at]; {
		case c != nil && c.together:
			common = append(common, u)
		case c == nil || !l.still(c.asked):
			changed = append(changed, u)
		}
	}
	l.compileEach(changed)
	for _, u := range changed {
		again = again || u.file.made[u.at] == nil
	}
	if l.prev != nil && !again && slices.EqualFunc(common, l.prev.together.items, func(u unit, it *syntax.Item) bool { return u.item() == it }) &&
		l.still(l.prev.together.asked) {
		l.together = l.prev.together
		return
	}
	if !again && len(common) == 0 {
		return
	}
	l.together.worker = newWorker(l, l.serving)
	asked := map[*query]bool{}
	for _, u := range l.units {
		if c := u.file.made[u.at]; c != nil && !c.together {
			continue
		}
		c := l.together.worker.compile(u.item(), u.file.made[u.at], false)
		u.file.made[u.at] = c
		l.together.items = append(l.together.items, u.item())
		for _, q := range c.asked {
			if !asked[q] {
				asked[q] = true
				l.together.asked = append(l.together.asked, q)
			}
		}
		c.asked = nil
	}
	l.together.checked = l.serving.Checked()
}

// compileEach compiles items that do not depend on one another. An item that does is left without a result.
func (l *loader) compileEach(list []unit) {
	if l.single {
		for _, u := range list {
			u.file.made[u.at] = nil
		}
		return
	}
	l.share(len(list), func(w *worker, i int) {
		u := &list[i]
		u.file.made[u.at] = w.compile(u.item(), u.file.made[u.at], false)
	})
}

// checkBlocks finds the errors in the Blocks that no template includes by name.
func (l *loader) checkBlocks() {
	checked := map[*syntax.Item]bool{}
	for _, it := range l.together.checked {
		checked[it] = true
	}
	for _, u := range l.units {
		for _, it := range u.file.made[u.at].checked {
			checked[it] = true
		}
	}
	list := l.list(func(_ *sourceFile, it *syntax.Item) bool {
		return it.Kind == syntax.Block && !it.Broken && !checked[it]
	})
	var changed []unit
	for _, u := range list {
		if c := u.file.made[u.at]; c == nil || !l.still(c.asked) {
			changed = append(changed, u)
		}
	}
	l.compileEach(changed)
	for _, u := range list {
		c := u.file.made[u.at]
		if c == nil {
			if l.together.worker == nil {
				l.together.worker = newWorker(l, l.serving)
			}
			c = l.together.worker.compile(u.item(), u.file.made[u.at], false)
		}
		l.errs = append(l.errs, c.errs...)
	}
}
