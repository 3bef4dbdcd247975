// Package judge applies the rules of lint to the files that a library serves.
package judge

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/library"
	"dcs/render/lint"
)

// Work is what to judge, and how.
type Work struct {
	Library    *library.Snapshot
	Templates  []*library.Template // of the library; nil: all
	Devices    *library.Values     // that devices have; nil: they may have any
	Options    lint.Options
	Allows     *lint.Allows
	Goroutines int           // 0: one for each CPU; 1: the caller's
	Most       int           // of each severity so many findings are kept; 0: all
	Judged     *atomic.Int64 // counts the templates that have been judged; may be nil
}

// Found is what was found.
type Found struct {
	List  []lint.Finding
	Count [lint.Error + 1]int // by severity, with those beyond Work.Most
}

// Run judges the templates. What several of them have in common, such as the statements of a Block, is told once. If ctx ends first it
// returns nil.
func (w *Work) Run(ctx context.Context) *Found {
	o := w.Options
	o.Skip = func(f *lint.Finding) bool { return slices.Contains(o.Without, f.Rule.ID) || w.Allows.Allowed(f) }
	list := w.Templates
	if list == nil {
		list = w.Library.Templates()
	}
	goroutines := w.Goroutines
	if goroutines == 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	out := &collector{most: w.Most, at: map[same]int{}, templates: map[int]int{}}
	surveys := make([]*library.Survey, max(1, min(goroutines, len(list))))
	for i := range surveys {
		surveys[i] = w.Library.Survey(w.Devices)
	}
	one := func(survey *library.Survey, t *library.Template) []lint.Finding {
		found := template(survey, t, &o)
		if w.Judged != nil {
			w.Judged.Add(1)
		}
		return found
	}
	if len(surveys) == 1 {
		for _, t := range list {
			if ctx.Err() == nil {
				out.add(one(surveys[0], t))
			}
		}
	} else {
		found := make([][]lint.Finding, len(list))
		var next atomic.Int64
		var all sync.WaitGroup
		for _, survey := range surveys {
			all.Go(func() {
				for n := next.Add(1) - 1; n < int64(len(list)) && ctx.Err() == nil; n = next.Add(1) - 1 {
					found[n] = one(survey, list[n])
				}
			})
		}
		all.Wait()
		for _, f := range found {
			out.add(f)
		}
		for _, s := range surveys[1:] {
			surveys[0].Join(s)
		}
	}
	if ctx.Err() != nil {
		return nil
	}
	var more []lint.Finding
	for _, file := range w.Library.Sources() {
		if w.Templates == nil || slices.ContainsFunc(list, func(t *library.Template) bool { return t.Pos().File == file }) {
			more = append(more, w.Allows.Unknown(file)...)
		}
	}
	more = append(more, surveys[0].Odd()...)
	out.add(slices.DeleteFunc(more, func(f lint.Finding) bool { return o.Skip(&f) }))
	return out.end()
}

// template returns the findings of one template.
func template(survey *library.Survey, t *library.Template, o *lint.Options) []lint.Finding {
	if _, _, asIs := t.AsIs(); asIs {
		return nil // judged as a static file
	}
	var set lint.Set
	files := 0
	for f := range survey.Files(t) {
		set.Add(f, o)
		files++
	}
	found := set.Findings()
	if !survey.Complete() {
		text := fmt.Sprintf("only the first %d of the files that the template can make were judged", files)
		if f := lint.At(lint.NotAllJudged, lint.Place{Pos: t.Pos()}, text); !o.Skip(&f) {
			found = append(found, f)
		}
	}
	return found
}

// same is what findings of several templates have in common.
type same struct {
	rule     *lint.Rule
	severity lint.Severity
	spot     string
	text     string
}

// collector joins the findings of templates. Of equal ones the first stands, and says how many templates have it.
type collector struct {
	most      int
	out       Found
	kept      [lint.Error + 1]int
	at        map[same]int // index of those kept
	templates map[int]int  // further ones that have it, by index
}

// add adds the findings of one template.
func (c *collector) add(list []lint.Finding) {
	mine := map[int]bool{}
	for i := range list {
		f := &list[i]
		key := same{f.Rule, f.Severity, f.Spot.String(), f.Text}
		n, known := c.at[key]
		if known && !mine[n] {
			mine[n] = true
			c.templates[n]++
			continue
		}
		c.out.Count[f.Severity]++
		if c.most > 0 && c.kept[f.Severity] == c.most {
			continue
		}
		c.kept[f.Severity]++
		n = len(c.out.List)
		c.at[key] = n
		mine[n] = true
		c.out.List = append(c.out.List, *f)
	}
}

func (c *collector) end() *Found {
	for n, more := range c.templates {
		if more == 1 {
			c.out.List[n].Text += ", and in another template"
		} else {
			c.out.List[n].Text += fmt.Sprintf(", and in %d other templates", more)
		}
	}
	return &c.out
}
