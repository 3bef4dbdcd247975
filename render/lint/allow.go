package lint

import (
	"regexp"
	"slices"
	"strings"
	"sync"

	"dcs/render/syntax"
)

// allowed matches a comment of any of the text languages that allows rules: "# dcs:allow max-cpe, sw-pair why".
var allowed = regexp.MustCompile(`(?:#|//|/\*)[^\n]*?\bdcs:allow\s+([a-z0-9-]+(?:\s*,\s*[a-z0-9-]+)*)`)

// comment matches a line that holds nothing but a comment.
var comment = regexp.MustCompile(`^\s*(?:#|//|/\*[^*]*\*/\s*$)`)

// Allows knows the comments of source files that allow rules. Allowed may be called by several goroutines.
type Allows struct {
	Read  func(path string) ([]byte, error)
	lock  sync.Mutex
	files map[string]map[int][]string // ids by the line that they are written in
	alone map[string]map[int]bool     // lines that hold nothing but such a comment
}

// lines returns the comments of a file; none of one that cannot be read.
func (a *Allows) lines(path string) map[int][]string {
	if ids, ok := a.files[path]; ok {
		return ids
	}
	if a.files == nil {
		a.files, a.alone = map[string]map[int][]string{}, map[string]map[int]bool{}
	}
	a.files[path] = nil
	src, err := a.Read(path)
	if err != nil || !strings.Contains(string(src), "dcs:allow") {
		return nil
	}
	ids, alone := map[int][]string{}, map[int]bool{}
	line := 0
	for text := range strings.Lines(string(src)) {
		line++
		for _, m := range allowed.FindAllStringSubmatch(text, -1) {
			for id := range strings.SplitSeq(m[1], ",") {
				ids[line] = append(ids[line], strings.TrimSpace(id))
			}
			alone[line] = comment.MatchString(text)
		}
	}
	a.files[path], a.alone[path] = ids, alone
	return ids
}

// at reports whether a rule is allowed at a statement: in its line, or in a line above that holds only the comment.
func (a *Allows) at(p syntax.Pos, id string) bool {
	a.lock.Lock()
	defer a.lock.Unlock()
	ids := a.lines(p.File)
	return slices.Contains(ids[p.Line], id) || a.alone[p.File][p.Line-1] && slices.Contains(ids[p.Line-1], id)
}

// Allowed reports whether a comment beside the statement of a finding, or beside an include that leads to it, allows it.
func (a *Allows) Allowed(f *Finding) bool {
	if f.Place.Pos.Line == 0 || f.Rule.ID == sourceID {
		return false
	}
	return a.at(f.Place.Pos, f.Rule.ID) || slices.ContainsFunc(f.Place.Via, func(p syntax.Pos) bool { return a.at(p, f.Rule.ID) })
}

// Unknown returns a finding for each rule that a comment in a file names and that does not exist.
func (a *Allows) Unknown(path string) []Finding {
	var out []Finding
	for line, ids := range a.lines(path) {
		for _, id := range ids {
			if ByID(id) == nil {
				out = append(out, Finding{
					Rule: ByID(allowID), Severity: Warning, Text: "dcs:allow " + id + ": there is no such rule", Remedy: ByID(allowID).Remedy,
					Spot: Spot{Place: Place{Pos: syntax.Pos{File: path, Line: line, Col: 1}}},
				})
			}
		}
	}
	Sort(out)
	return out
}
