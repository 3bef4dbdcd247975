package assemble

import (
	"context"
	"fmt"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/progress"
	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/mic"
	"dcs/render/syntax"
)

// maxShown is how many errors of one kind about static files are listed.
const maxShown = 20

// Unreadable returns a line for each static file and directory that could not be read, and one for those beyond maxShown.
func Unreadable(snap *library.Snapshot) []Remark {
	var lines []Remark
	all := snap.Unreadable()
	for _, u := range all[:min(len(all), maxShown)] {
		what := "its names get no file"
		if u.Kept {
			what = "serving what was loaded before"
		}
		lines = append(lines, Remark{Severity: lint.Error, Path: u.Path, Text: fmt.Sprintf("cannot be read: %v; %s", u.Err, what)})
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, Remark{Severity: lint.Error, Text: fmt.Sprintf("… and %s more static files that cannot be read", count(more))})
	}
	return lines
}

func count(n int) string { return progress.Count(int64(n)) }

// Files returns a number of files, with an example.
func Files(n int, example string) string {
	if n == 1 {
		return "1 file, " + example
	}
	return fmt.Sprintf("%s files, such as %s", count(n), example)
}

// Signing are the secrets that files may be signed under. Those in use come first.
type Signing struct {
	Names   []string
	Secrets []*mic.Secret
	Used    int // number of secrets that a CMTS has
}

// Signing returns the secrets to check files under. There are none if none is configured: static files were then signed
// elsewhere, under an unknown secret.
func (s *Secrets) Signing(cfg *config.Config) Signing {
	var out Signing
	if s == nil || cfg.Secrets == "" && cfg.SecretFile == "" {
		return out
	}
	for _, used := range []bool{true, false} {
		for _, state := range s.State.Secrets {
			if state.Used == used {
				out.Names, out.Secrets = append(out.Names, state.Name), append(out.Secrets, s.byName[state.Name])
			}
		}
		if used {
			out.Used = len(out.Names)
		}
	}
	return out
}

// Audit checks the files that no template makes. If ctx ends first it returns nil.
func (s *Signing) Audit(ctx context.Context, snap *library.Snapshot, parallel int) *library.Audit {
	return snap.Audit(ctx, s.Secrets, maxShown, parallel)
}

// Unchecked returns how many files have a CMTS MIC that cannot be checked, as there is no secret.
func (s *Signing) Unchecked(a *library.Audit) int {
	if len(s.Secrets) > 0 {
		return 0
	}
	return a.Keyed
}

// Place returns where a file is served from.
func Place(a *library.Audited) string { return place(a.Item, a.Path) }

func place(item syntax.Pos, path string) string {
	if item != (syntax.Pos{}) {
		return fmt.Sprintf("%s: Binary from %s", item, path)
	}
	return path
}

// A Remark is about a file that no template makes, or about several: it has no path then.
type Remark struct {
	Severity lint.Severity
	Item     syntax.Pos // the Binary item that serves it; zero: none
	Path     string
	Text     string
}

func (r Remark) String() string {
	switch {
	case r.Severity != lint.Error:
		return r.Severity.String() + ": " + r.Text
	case r.Path == "":
		return r.Text
	}
	return place(r.Item, r.Path) + ": " + r.Text
}

// faultPlurals describe the files beyond maxShown.
var faultPlurals = [bootfile.NumFaults]string{
	bootfile.Empty: "are empty", bootfile.Cut: "are damaged", bootfile.NoMIC: "lack a MIC or their end", bootfile.CMMIC: "have a wrong CM MIC",
	bootfile.CMTSMIC: "have a CMTS MIC of no known secret", bootfile.MTAHash: "have a wrong hash",
}

// AuditErrors returns a remark for each file that a device or its CMTS refuses, at most maxShown of a kind.
func (s *Signing) AuditErrors(a *library.Audit) []Remark {
	var lines []Remark
	group := func(g *library.Group, text func(*library.Audited) string, more string) {
		for i := range g.First {
			lines = append(lines, Remark{Severity: lint.Error, Item: g.First[i].Item, Path: g.First[i].Path, Text: text(&g.First[i])})
		}
		if n := g.N - len(g.First); n > 0 {
			lines = append(lines, Remark{Severity: lint.Error, Text: fmt.Sprintf("… and %s more static files %s", count(n), more)})
		}
	}
	for f := bootfile.Sound + 1; f < bootfile.NumFaults; f++ {
		group(&a.Faulty[f], func(x *library.Audited) string { return x.Text }, "that "+faultPlurals[f])
	}
	for i := s.Used; i < len(s.Names); i++ {
		what := fmt.Sprintf("of the secret %s, which no CMTS has any more", s.Names[i])
		group(&a.Under[i], func(*library.Audited) string { return "the CMTS MIC (7) is " + what }, "with a CMTS MIC "+what)
	}
	return lines
}

// AuditNotes returns warnings and notes about files that no template makes.
func (s *Signing) AuditNotes(snap *library.Snapshot, a *library.Audit) []Remark {
	var lines []Remark
	if n := s.Unchecked(a); n > 0 {
		lines = append(lines, Remark{Severity: lint.Warning, Text: fmt.Sprintf("the CMTS MICs of %s static files are unchecked: no secret is configured", count(n))})
	}
	if s.Used > 1 {
		for i, g := range a.Under[:s.Used] {
			if g.N > 0 {
				lines = append(lines, Remark{Severity: lint.Note, Text: fmt.Sprintf("%s signed under %s: a CMTS with another secret rejects a modem that has one; resign: on for their directory signs them for each",
					Files(g.N, g.First[0].Path), s.Names[i])})
			}
		}
	}
	if n, path, at := snap.Hiding(); n > 0 {
		what := "static files hide a pattern"
		if n == 1 {
			what = "static file hides a pattern"
		}
		lines = append(lines, Remark{Severity: lint.Warning, Text: fmt.Sprintf("%s %s, such as %s, which %s would make: static files take precedence; remove those that patterns are to make",
			count(n), what, path, at)})
	}
	if _, n, path := snap.Resigned(); n > 0 {
		lines = append(lines, Remark{Severity: lint.Note, Text: Files(n, path) + ", of directories with resign: served unchanged, without a MIC or hash to renew"})
	}
	return lines
}
