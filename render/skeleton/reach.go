package skeleton

import (
	"math/bits"
	"slices"

	"dcs/render/syntax"
	"dcs/render/tlv"
)

// Choices are the possible targets of an include with variables.
type Choices struct{ Items []*syntax.Item }

// Limits on the number of worlds in which Choices are compiled. All further worlds are one, in which any variable may
// have any value: that suffices to find the structural attributes; an unsuitable value is then reported when a name
// that leads to it is requested.
const (
	leastWorlds = 4
	mostWorlds  = 64
	worldItems  = 1 << 16 // compiled for one include in all its worlds
)

// reach finds what a library's includes with variables may lead to. Items may include one another in any number of
// ways; each is compiled once per world, and its effects are propagated along the includes.
type reach struct {
	env        *Env
	free       *freeNames
	anything   *world
	worlds     map[string]*world
	nodes      map[nodeKey]*node
	worldCount map[nodeKey]int // number of worlds of a key without its world
	pending    []*node         // to be compiled
	hops       []hop           // to be searched for include cycles
	circle     map[closer]*syntax.Error
	way        map[*syntax.Include]string     // the path around the cycle that it closes
	closed     map[*syntax.Error]*syntax.Item // the item that a variable chooses in the cycle
	all        condensation[*node]
	sure       condensation[*node] // without the targets of includes that may mean any item
	walked     int
	least      int // limits of the number of distinct worlds
	most       int
}

// nodeKey is what a node is compiled for: an item or Choices, in a context.
type nodeKey struct {
	item   *syntax.Item // nil if set is not
	set    *Choices
	parent *tlv.Def
	kind   Kind
	loose  bool
	world  *world
}

// node is an item, or Choices, compiled once.
type node struct {
	nodeKey
	effect    // of its own statements, later including everything that it leads to
	edges     []edge
	errs      []*syntax.Error          // its own
	entries   []entry                  // its includes by name
	misplaced int                      // its own
	verdict   *verdict                 // including everything that it leads to
	byItem    map[*syntax.Item][]entry // of Choices: their includes by name, by target
	checked   bool
}

// edge leads to a possible target of an include. If any item may be the target (open), its errors do not count: most
// items are not meant for this place.
type edge struct {
	to   *node
	open bool
}

// effect is what compiling statements changes in a template, apart from errors.
type effect struct {
	structural []uint64 // attributes, by bit
	attributes bool
	missing
}

// verdict is the errors in a node and in everything that it leads to.
type verdict struct {
	errs      []*syntax.Error
	misplaced int
}

func newReach(env *Env) *reach {
	r := &reach{
		env: env, least: leastWorlds, most: mostWorlds, free: newFreeNames(env), anything: &world{any: true},
		worlds: map[string]*world{}, nodes: map[nodeKey]*node{}, worldCount: map[nodeKey]int{}, circle: map[closer]*syntax.Error{}, way: map[*syntax.Include]string{}, closed: map[*syntax.Error]*syntax.Item{},
	}
	r.all = condensation[*node]{next: func(n *node) []*node { return n.next(true) }, done: r.join}
	r.sure = condensation[*node]{next: func(n *node) []*node { return n.next(false) }, done: r.judge}
	return r
}

func (n *node) next(open bool) []*node {
	out := make([]*node, 0, len(n.edges))
	for _, e := range n.edges {
		if open || !e.open {
			out = append(out, e.to)
		}
	}
	return out
}

// choices compiles the possible targets of an include with variables.
func (c *checker) choices(st *syntax.Include, parent *tlv.Def, sc *scope) {
	if c.loose { // the possible targets in a Block alone are checked alone, too
		return
	}
	if c.env.room != nil {
		c.common = true
		return
	}
	sets := c.env.Candidates(st.Pos, pieces(st.Target))
	if len(sets) == 0 {
		c.errorf(st.Pos, "include %s: nothing in the library has a matching name", write(st.Target))
	}
	open := anyItem(st)
	for _, set := range sets {
		r := c.env.reach
		n := r.node(c, nodeKey{set: set, parent: parent}, max(r.least, min(r.most, worldItems/max(1, len(set.Items)))), sc)
		c.lead(n, sc, open)
		if c.node != nil && !open {
			r.hops = append(r.hops, hop{c.node, n, slices.Clone(c.stack)})
		}
	}
}

// once compiles the target of an include by name in a case that is compiled only for its errors.
func (c *checker) once(it *syntax.Item, parent *tlv.Def, sc *scope) {
	if c.env.room != nil {
		c.common = true
		return
	}
	c.lead(c.env.reach.node(c, nodeKey{item: it, parent: parent}, c.env.reach.most, sc), sc, false)
}

// node returns the node of an item or of Choices in the context of c.
func (r *reach) node(c *checker, key nodeKey, most int, sc *scope) *node {
	key.kind, key.loose = c.t.Kind, c.loose
	several := key
	if key.set != nil {
		key.world = c.worldAt(sc, r.free.of(key.set))
	} else {
		key.world = c.worldAt(sc, r.free.of(key.item))
	}
	if key.world != r.anything && r.nodes[key] == nil {
		if r.worldCount[several] < most {
			r.worldCount[several]++
		} else {
			key.world = r.anything
		}
	}
	if key.world == r.anything && !c.loose {
		c.widen(sc)
	}
	return r.add(key)
}

func (r *reach) add(key nodeKey) *node {
	n := r.nodes[key]
	if n == nil {
		n = &node{nodeKey: key}
		r.nodes[key] = n
		r.pending = append(r.pending, n)
	}
	return n
}

// lead applies the effect and the errors of a node, or adds an edge if c itself compiles a node.
func (c *checker) lead(n *node, sc *scope, open bool) {
	if c.node != nil {
		c.node.edges = append(c.node.edges, edge{n, open})
		return
	}
	r := c.env.reach
	r.compilePending()
	r.all.reach(n)
	for i, word := range n.structural {
		for ; word != 0; word &= word - 1 {
			c.markStructural(64*i + bits.TrailingZeros64(word))
		}
	}
	c.t.attributes = c.t.attributes || n.attributes
	c.waits = c.waits || n.waits
	for name := range n.lacks {
		if _, group := c.t.group(name); group {
			continue
		}
		if d, _ := sc.lookup(name); d == nil {
			c.waits = true
		}
	}
	if open {
		return
	}
	r.sure.reach(n)
	r.check(n)
	c.misplaced += n.verdict.misplaced
	for _, e := range c.relevant(n) {
		c.errorf(c.whence(n.world, e.Pos, sc), "%s", e.Msg)
	}
	for _, e := range r.reentries(n, c.stack) {
		c.errorf(e.Pos, "%s", e.Msg)
	}
}

// whence returns the position of an error in the value of a default. The default is in this template, but the node may
// have been compiled for another template with the same value.
func (c *checker) whence(w *world, at syntax.Pos, sc *scope) syntax.Pos {
	for name, b := range w.vars {
		if b.val.pos == at {
			return c.bind(name, sc).val.pos
		}
	}
	return at
}

// relevant returns the errors of what n leads to. An item does not include itself by a variable, so errors that only
// such an include would have are left out.
func (c *checker) relevant(n *node) []*syntax.Error {
	const enough = 1 << 24 // takes a few seconds
	r := c.env.reach
	if n.set == nil || len(n.verdict.errs) == 0 || r.walked > enough ||
		!slices.ContainsFunc(c.stack, func(it *syntax.Item) bool { return slices.Contains(n.set.Items, it) }) {
		return n.verdict.errs
	}
	var out []*syntax.Error
	seen := map[*node]bool{n: true}
	for queue := []*node{n}; len(queue) > 0; queue = queue[1:] {
		for _, e := range queue[0].errs {
			if chosen := r.closed[e]; chosen == nil || !slices.Contains(c.stack, chosen) {
				out = append(out, e)
			}
		}
		for _, to := range queue[0].next(false) {
			r.walked++
			if !seen[to] && !slices.Contains(c.stack, to.item) {
				seen[to] = true
				queue = append(queue, to)
			}
		}
	}
	return out
}

// compilePending compiles all pending nodes.
func (r *reach) compilePending() {
	for len(r.pending) > 0 {
		n := r.pending[len(r.pending)-1]
		r.pending = r.pending[:len(r.pending)-1]
		if n.set == nil {
			r.compile(n)
			continue
		}
		for _, it := range n.set.Items {
			key := n.nodeKey
			key.item, key.set = it, nil
			if own := r.free.own(it); len(own.includes) == 0 {
				key.world = r.narrow(n.world, own.reads)
			}
			n.edges = append(n.edges, edge{to: r.add(key)})
		}
	}
	r.circles()
}

// narrow returns w reduced to the names in free.
func (r *reach) narrow(w *world, free names) *world {
	if w.any {
		return w
	}
	given := map[string]*bound{} // nil: by a group
	eachGroup(w.groups, free, func(name string) { given[name] = nil })
	for name, b := range w.vars {
		if free.has(name) {
			given[name] = b
		}
	}
	return r.world(w.of, w.groups, given)
}

// compile compiles an item.
func (r *reach) compile(n *node) {
	t := &Template{Item: n.world.of, Kind: n.kind, env: r.env, groups: n.world.groups}
	if t.Item == nil {
		t.Item = n.item
	}
	c := t.checker()
	c.world, c.node, c.loose, c.stack = n.world, n, n.loose, []*syntax.Item{n.item}
	c.item(n.item, n.parent, nil)
	c.bounded()
	n.errs, n.misplaced, n.attributes, n.missing = c.errs, c.misplaced, t.attributes, c.missing
	for _, i := range t.structural {
		n.mark(i)
	}
}

func (e *effect) mark(attr int) {
	for len(e.structural) <= attr/64 {
		e.structural = append(e.structural, 0)
	}
	e.structural[attr/64] |= 1 << (attr % 64)
}

func (e *effect) join(o *effect) {
	for i, word := range o.structural {
		if i == len(e.structural) {
			e.structural = append(e.structural, 0)
		}
		e.structural[i] |= word
	}
	e.attributes = e.attributes || o.attributes
	e.missing.join(&o.missing)
}

// join gives each node of a component the effects of all its nodes and of everything that they lead to.
func (r *reach) join(component []*node) {
	var all effect
	for _, n := range component {
		all.join(&n.effect)
		for _, e := range n.edges {
			all.join(&e.to.effect)
		}
	}
	for _, n := range component {
		n.effect = all
	}
}

// judge does for errors what join does for effects.
func (r *reach) judge(component []*node) {
	var all verdict
	seen := map[syntax.Error]bool{}
	add := func(errs []*syntax.Error) {
		for _, e := range errs {
			if len(all.errs) < maxErrors && !seen[*e] {
				seen[*e] = true
				all.errs = append(all.errs, e)
			}
		}
	}
	for _, n := range component {
		add(n.errs)
		all.misplaced += n.misplaced
		for _, e := range n.edges {
			if !e.open && e.to.verdict != nil { // nil: it is in this component
				add(e.to.verdict.errs)
				all.misplaced += e.to.verdict.misplaced
			}
		}
	}
	for _, n := range component {
		n.verdict = &all
	}
}

// check records the items that have been checked because a template may include them.
func (r *reach) check(n *node) {
	if n.checked {
		return
	}
	n.checked = true
	if n.item != nil && !n.loose {
		r.env.checked[n.item] = true
	}
	for _, e := range n.entries {
		r.env.checked[e.item()] = true
	}
	for _, e := range n.edges {
		if !e.open {
			r.check(e.to)
		}
	}
}

// Seal drops what only New and CheckBlock use; do not call them after Seal. Skeletons made from then on are served, and
// share what they have in common.
func (e *Env) Seal() {
	e.memo, e.reach, e.checked, e.bodies, e.sites = nil, nil, nil, nil, &sites{made: map[siteKey]*site{}}
}
