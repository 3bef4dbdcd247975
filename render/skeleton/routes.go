package skeleton

import (
	"slices"

	"dcs/render/syntax"
)

// An arm is one way to go at a statement where the value of a variable decides.
type arm struct {
	at syntax.Pos
	id int
}

// routes leads through a template once for each file that it can make: first along arms that have made no file yet, then along their
// combinations.
type routes struct {
	most int  // number of files
	made int  // files so far
	runs int  // so far
	cut  bool // there are more

	sites   map[syntax.Pos]int // number of arms that were found
	used    map[arm]int        // by how many runs; those that made a file count maxTries
	taken   []step             // by this run
	prefix  []int              // what this run began with
	fresh   []branch
	further []branch
	started bool
}

// A step is an arm that a run has taken.
type step struct {
	arm
	others []int // ids of the arms there
}

// A branch is the beginning of runs that differ in its last step.
type branch struct {
	steps []step // of the run that it leaves at the last one
	next  int    // in the others of the last
}

const (
	maxTries = 3    // runs without a file after which an arm is no longer preferred
	maxSteps = 1000 // choices of one run
	runsEach = 4    // runs for each file that is wanted, for many make none
	mostLeft = 1 << 12
)

func newRoutes(most int) *routes {
	return &routes{most: most, sites: map[syntax.Pos]int{}, used: map[arm]int{}}
}

// next begins a run, and reports false if there is none left, or if there have been enough.
func (r *routes) next() bool {
	if !r.started {
		r.started, r.runs = true, 1
		return true
	}
	if r.made >= r.most || r.runs >= runsEach*r.most {
		r.cut = r.cut || len(r.further) > 0 || slices.ContainsFunc(r.fresh, func(b branch) bool {
			last := b.steps[len(b.steps)-1]
			return slices.ContainsFunc(last.others[b.next:], func(id int) bool { return id != last.id })
		})
		return false
	}
	for len(r.fresh) > 0 {
		b := &r.fresh[0]
		last := &b.steps[len(b.steps)-1]
		if b.next == len(last.others) {
			r.fresh = r.fresh[1:]
			continue
		}
		id := last.others[b.next]
		b.next++
		if id == last.id {
			continue
		}
		if r.used[arm{last.at, id}] >= maxTries {
			if len(r.further) < mostLeft {
				r.further = append(r.further, branch{b.steps, b.next - 1})
			} else {
				r.cut = true
			}
			continue
		}
		r.begin(b.steps, id)
		return true
	}
	if len(r.further) == 0 {
		return false
	}
	b := r.further[0]
	r.further = r.further[1:]
	r.begin(b.steps, b.steps[len(b.steps)-1].others[b.next])
	return true
}

func (r *routes) begin(steps []step, id int) {
	r.runs++
	r.taken, r.prefix = r.taken[:0], r.prefix[:0]
	for _, s := range steps[:len(steps)-1] {
		r.prefix = append(r.prefix, s.id)
	}
	r.prefix = append(r.prefix, id)
}

// pick returns one of the arms at a statement. ids are the same whenever the same arms have been taken before.
func (r *routes) pick(at syntax.Pos, ids []int) int {
	if len(ids) == 1 {
		return ids[0]
	}
	n := len(r.taken)
	if n >= maxSteps {
		r.cut = true
		return ids[0]
	}
	r.sites[at] = max(r.sites[at], len(ids))
	id := ids[0]
	if n < len(r.prefix) {
		id = r.prefix[n]
	} else if r.hurry() {
		if i := slices.IndexFunc(ids, func(id int) bool { return r.used[arm{at, id}] == 0 }); i >= 0 {
			id = ids[i]
		}
	}
	r.taken = append(r.taken, step{arm{at, id}, ids})
	return id
}

// hurry reports whether there are more arms without a file than files to come, so that a run must take several.
func (r *routes) hurry() bool {
	arms := 0
	for _, n := range r.sites {
		arms += n
	}
	return arms-len(r.used) > r.most-r.made
}

// end ends a run; made reports whether it has made a file.
func (r *routes) end(made bool) {
	if made {
		r.made++
	}
	for _, s := range r.taken {
		if r.used[s.arm]++; made {
			r.used[s.arm] = maxTries
		}
	}
	steps := slices.Clone(r.taken)
	for n := len(r.prefix); n < len(steps); n++ {
		if len(r.fresh) >= mostLeft {
			r.cut = true
			break
		}
		r.fresh = append(r.fresh, branch{steps: steps[:n+1]})
	}
}
