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
	Judged     *atomic.Int64 // counts the templates that have been judged; may be nil
}

// Run returns the findings of the templates. What several of them have in common, such as the statements of a Block, is told once.
// If ctx ends first there are none.
func (w *Work) Run(ctx context.Context) []lint.Finding {
	o := w.Options
	o.Skip = w.Allows.Allowed
	list := w.Templates
	if list == nil {
		list = w.Library.Templates()
	}
	goroutines := w.Goroutines
	if goroutines == 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	found := make([][]lint.Finding, len(list))
	surveys := make([]*library.Survey, max(1, min(goroutines, len(list))))
	var next atomic.Int64
	var all sync.WaitGroup
	for i := range surveys {
		survey := w.Library.Survey(w.Devices)
		surveys[i] = survey
		work := func() {
			for n := next.Add(1) - 1; n < int64(len(list)) && ctx.Err() == nil; n = next.Add(1) - 1 {
				found[n] = template(survey, list[n], &o)
				if w.Judged != nil {
					w.Judged.Add(1)
				}
			}
		}
		if len(surveys) == 1 {
			work()
		} else {
			all.Go(work)
		}
	}
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	for _, s := range surveys[1:] {
		surveys[0].Join(s)
	}
	out := together(found)
	for _, file := range w.Library.Sources() {
		if w.Templates == nil || slices.ContainsFunc(list, func(t *library.Template) bool { return t.Pos().File == file }) {
			out = append(out, w.Allows.Unknown(file)...)
		}
	}
	out = slices.DeleteFunc(append(out, surveys[0].Odd()...), func(f lint.Finding) bool { return slices.Contains(o.Without, f.Rule.ID) })
	return w.Allows.Filter(out)
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
		found = append(found, lint.At(lint.NotAllJudged, lint.Place{Pos: t.Pos()}, text))
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

// together joins the findings of all templates. Of equal ones the first stands, and says how many templates have it.
func together(found [][]lint.Finding) (out []lint.Finding) {
	at := map[same]int{}
	templates := map[int]int{} // further ones, by index in out
	for _, list := range found {
		mine := map[int]bool{}
		for i := range list {
			f := &list[i]
			key := same{f.Rule, f.Severity, f.Spot.String(), f.Text}
			n, known := at[key]
			if known && !mine[n] {
				templates[n]++
			}
			if !known || mine[n] {
				n = len(out)
				at[key] = n
				out = append(out, *f)
			}
			mine[n] = true
		}
	}
	for n, more := range templates {
		if more == 1 {
			out[n].Text += ", and in another template"
		} else {
			out[n].Text += fmt.Sprintf(", and in %d other templates", more)
		}
	}
	return out
}
