package library

// again returns the table of p for other patterns, if these are of the same texts and priorities in the same order: most edits leave the
// patterns alone, and making the table for 100,000 of them and comparing them takes a second. It returns nil if they are not, or if p is nil.
func (p *patterns) again(list []*pattern) *patterns {
	if p == nil || len(list) != len(p.list) || len(list) == 0 {
		return nil
	}
	for i, q := range list {
		old := p.list[i]
		if q.source != old.source || q.priority != old.priority || q.fold != old.fold || q.guess != old.guess ||
			i > 0 && (q.index <= list[i-1].index || old.index <= p.list[i-1].index) {
			return nil
		}
	}
	now := make([]*pattern, p.list[len(list)-1].index+1) // by the old number
	for i, q := range list {
		now[p.list[i].index] = q
	}
	next := *p
	next.list, next.always = list, nil
	for _, old := range p.always {
		next.always = append(next.always, now[old.index])
	}
	next.lists = make([][]*pattern, len(p.lists))
	room := 0
	for _, l := range p.lists {
		room += len(l)
	}
	all := make([]*pattern, 0, room)
	for i, l := range p.lists {
		from := len(all)
		for _, old := range l {
			all = append(all, now[old.index])
		}
		next.lists[i] = all[from:len(all):len(all)]
	}
	next.clashes = make([]conflict, len(p.clashes))
	for i, c := range p.clashes {
		next.clashes[i] = conflict{now[c.a.index], now[c.b.index], c.witness}
	}
	return &next
}
