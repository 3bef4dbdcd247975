package lint

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"dcs/render/syntax"
)

// Set collects the findings of the files that one template can make. Those that are the same for several files become one, with
// the arms that lead to these files. Its zero value is empty.
type Set struct {
	files [][]string     // the arms of each
	index map[string]int // by key
	found []Finding
	in    []int      // number of files that have each finding
	arms  [][]string // that all of these have
}

// maxWhen is how many lists of arms are kept for a finding.
const maxWhen = 8

// Add judges a file and adds what is found.
func (s *Set) Add(f *File, o *Options) {
	s.files = append(s.files, f.When)
	seen := map[string]bool{}
	for _, x := range Check(f, o) {
		key := x.key()
		if seen[key] {
			continue // of an item that is included twice
		}
		seen[key] = true
		if s.index == nil {
			s.index = map[string]int{}
		}
		i, ok := s.index[key]
		if !ok {
			i = len(s.found)
			s.index[key] = i
			s.found, s.in, s.arms = append(s.found, x), append(s.in, 0), append(s.arms, slices.Clone(f.When))
		}
		s.in[i]++
		s.arms[i] = slices.DeleteFunc(s.arms[i], func(arm string) bool { return !slices.Contains(f.When, arm) })
		was := &s.found[i]
		if x.more > was.more {
			was.more, was.Text = x.more, x.Text
		}
		if len(was.When) < maxWhen && !slices.ContainsFunc(was.When, func(arms []string) bool { return slices.Equal(arms, f.When) }) {
			was.When = append(was.When, f.When)
		}
	}
}

// Findings returns what was found, by position.
func (s *Set) Findings() []Finding {
	out := slices.Clone(s.found)
	for i := range out {
		switch s.in[i] {
		case len(s.files):
			out[i].When = nil
		case s.with(s.arms[i]): // it holds for all files that have these arms
			out[i].When = [][]string{s.arms[i]}
		}
	}
	Sort(out)
	return out
}

// with returns the number of files that have all of some arms.
func (s *Set) with(arms []string) (n int) {
	for _, has := range s.files {
		if !slices.ContainsFunc(arms, func(arm string) bool { return !slices.Contains(has, arm) }) {
			n++
		}
	}
	return n
}

// Sort sorts findings by position, and by their rules' place in the table.
func Sort(list []Finding) {
	slices.SortStableFunc(list, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), comparePos(a.Place.Pos, b.Place.Pos), cmp.Compare(a.Offset, b.Offset))
	})
}

func comparePos(a, b syntax.Pos) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Col, b.Col))
}

// key identifies a finding among those of one template: offsets differ from file to file.
func (f *Finding) key() string {
	var b strings.Builder
	b.WriteString(f.Rule.ID)
	b.WriteByte(byte('0' + f.Severity))
	b.WriteString(f.Spot.String())
	for _, p := range f.Place.Via {
		b.WriteString(p.String())
	}
	if f.more > 0 {
		b.WriteString("more") // the number differs, too
	} else {
		b.WriteString(f.Text)
	}
	return b.String()
}

// String returns the position as "file:line:col", or as "file: offset n" in a binary file.
func (s Spot) String() string {
	switch {
	case s.Place.Pos.Line > 0:
		return s.Place.Pos.String()
	case s.Path == "" && s.Offset == 0:
		return s.File
	}
	b := s.File + ": offset " + strconv.Itoa(s.Offset)
	if s.Path != "" {
		b += " (" + s.Path + ")"
	}
	return b
}

// Arms returns the arms for which a finding holds, for people: "when $plan is gold, $isp is a; or …". It is empty if it holds for
// all.
func (f *Finding) Arms() string {
	if f.When == nil {
		return ""
	}
	var each []string
	for _, w := range f.When {
		if text := strings.Join(w, ", "); text != "" && !slices.Contains(each, text) {
			each = append(each, text)
		}
	}
	if len(each) == 0 {
		return ""
	}
	const shown = 3
	if len(each) > shown {
		each = append(each[:shown], "…")
	}
	return "when " + strings.Join(each, "; or ")
}
