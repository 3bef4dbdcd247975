// Package judge applies the rules of lint to the files that a library serves.
package judge

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/library"
	"dcs/render/lint"
)

// Templates returns the findings of templates of a library. What several of them have in common, such as the statements of a Block, is
// told once. It uses so many goroutines; 0: one for each CPU.
func Templates(snap *library.Snapshot, list []*library.Template, options *lint.Options, allows *lint.Allows, goroutines int) []lint.Finding {
	o := *options
	o.Skip = allows.Allowed
	if goroutines == 0 {
		goroutines = runtime.GOMAXPROCS(0)
	}
	found := make([][]lint.Finding, len(list))
	surveys := make([]*library.Survey, max(1, min(goroutines, len(list))))
	var next atomic.Int64
	var all sync.WaitGroup
	for i := range surveys {
		survey := snap.Survey()
		surveys[i] = survey
		all.Go(func() {
			for n := next.Add(1) - 1; n < int64(len(list)); n = next.Add(1) - 1 {
				found[n] = template(survey, list[n], &o)
			}
		})
	}
	all.Wait()
	for _, s := range surveys[1:] {
		surveys[0].Join(s)
	}
	out := together(found)
	for _, file := range snap.Sources() {
		if len(list) == len(snap.Templates()) || slices.ContainsFunc(list, func(t *library.Template) bool { return t.Pos().File == file }) {
			out = append(out, allows.Unknown(file)...)
		}
	}
	out = slices.DeleteFunc(append(out, surveys[0].Odd()...), func(f lint.Finding) bool { return slices.Contains(o.Without, f.Rule.ID) })
	return allows.Filter(out)
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
