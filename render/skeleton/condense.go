package skeleton

// condensation finds the strongly connected components of a directed graph with Tarjan's algorithm. It visits each node
// and edge once, over all calls of reach.
type condensation[N comparable] struct {
	next func(N) []N // must not change for a visited node
	// done is called for each strongly connected component, after all components that it leads to.
	done func(component []N)

	visits map[N]*visit
	stack  []N
}

// visit is the state of a node in Tarjan's algorithm.
type visit struct {
	index, low int
	open       bool // on the stack
}

func (c *condensation[N]) reach(n N) {
	if c.visits == nil {
		c.visits = map[N]*visit{}
	}
	if c.visits[n] == nil {
		c.enter(n)
	}
}

func (c *condensation[N]) enter(n N) *visit {
	m := &visit{index: len(c.visits), low: len(c.visits), open: true}
	c.visits[n] = m
	c.stack = append(c.stack, n)
	for _, to := range c.next(n) {
		if o := c.visits[to]; o == nil {
			m.low = min(m.low, c.enter(to).low)
		} else if o.open {
			m.low = min(m.low, o.index)
		}
	}
	if m.low < m.index {
		return m
	}
	at := len(c.stack) - 1
	for c.stack[at] != n {
		at--
	}
	for _, in := range c.stack[at:] {
		c.visits[in].open = false
	}
	c.done(c.stack[at:])
	c.stack = c.stack[:at]
	return m
}
