package library

import (
	"iter"

	"dcs/render/groups"
	"dcs/render/lint"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// A Survey enumerates the files that the templates of a library can make. It is for one goroutine.
type Survey struct {
	snap *Snapshot
	all  *skeleton.Survey
	cut  bool // some files of the last template were left out

	odd []lint.Finding
}

const (
	leastFiles = 64   // of a template
	mostFiles  = 1024 // of a template, where there are few
	wantFiles  = 8192 // of all templates together
)

// Survey returns a Survey of the library, for devices with these values; nil: they may have any. Of a template there are at most 64 files, or
// up to 1024 in a library of few.
func (s *Snapshot) Survey(devices *Values) *Survey {
	y := &Survey{snap: s}
	if s.loader == nil {
		return y
	}
	env := *s.loader.serving
	var index *choices // the loader's own is gone, and was for one goroutine
	env.Candidates = func(at syntax.Pos, pieces []string) []*skeleton.Choices {
		if index == nil {
			index = s.loader.newChoices()
		}
		return index.find(s.loader.roots, at, pieces)
	}
	y.all = env.Survey()
	if devices != nil {
		y.all.Attributes = devices.in(env.Schema)
	}
	y.all.Files = max(leastFiles, min(mostFiles, wantFiles/max(1, len(s.templates))))
	return y
}

// Complete reports whether all files of the last template were enumerated.
func (y *Survey) Complete() bool { return !y.cut }

// Join adds to y what another survey of the same library has found odd.
func (y *Survey) Join(o *Survey) {
	y.odd = append(y.odd, o.odd...)
	if y.all != nil && o.all != nil {
		y.all.Join(o.all)
	}
}

// Files enumerates the files that a template can make. There are none of a text, of a binary file that is served as it is, and of a
// template that waits for attributes.
func (y *Survey) Files(t *Template) iter.Seq[*lint.File] {
	return func(yield func(*lint.File) bool) {
		y.cut = false
		if y.all == nil || t.Waiting() {
			return
		}
		all := y.all.Variants(t.Template, y.names(t), func(v *skeleton.Variant) bool { return yield(fileOf(t, v)) })
		y.cut = !all
		y.look(t, all)
	}
}

// names returns what the groups of a template's pattern capture; the first is the name.
func (y *Survey) names(t *Template) []*groups.Texts {
	if t.Pattern == "" {
		return []*groups.Texts{{List: t.Names, Example: t.Names[0], MaxLen: groups.Unbounded}}
	}
	return groups.Of(t.Pattern, y.snap.names.Folds())
}

func fileOf(t *Template, v *skeleton.Variant) *lint.File {
	f := &lint.File{
		Dialect: v.Dialect(), Octets: v.Octets, Made: true, Shared: t.Pattern != "", Partial: v.Partial,
		Place: func(off int) lint.Place {
			at, via := v.Place(off)
			return lint.Place{Pos: at, Via: via}
		},
	}
	if f.Name = t.Pattern; f.Name == "" {
		f.Name = t.Names[0]
	}
	for _, w := range v.Values {
		f.Slots = append(f.Slots, lint.Slot{
			Off: w.Off, Len: w.Len, Whole: w.Whole, Numeric: w.Numeric, Min: w.Min, Max: w.Max, Bounded: w.Bounded, MinLen: w.MinLen, MaxLen: w.MaxLen, Text: w.Text,
		})
	}
	for _, a := range v.Arms {
		f.When = append(f.When, a.Text)
	}
	return f
}
