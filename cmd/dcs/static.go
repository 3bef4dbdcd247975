package main

import (
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"dcs/cmd/internal/config"
	"dcs/cmd/internal/progress"
	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/syntax"
)

// mostShown is how many errors of one kind about static files are shown one by one.
const mostShown = 20

// unreadable returns a line for each static file and directory that could not be read, and one for those beyond mostShown.
func unreadable(snap *library.Snapshot) []string {
	var lines []string
	all := snap.Unreadable()
	for _, u := range all[:min(len(all), mostShown)] {
		what := "its names get no file until it can be read"
		if u.Kept {
			what = "what was loaded of it before is served"
		}
		lines = append(lines, fmt.Sprintf("%s: cannot be read: %v; %s", u.Path, u.Err, what))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %s more static files that cannot be read", count(more)))
	}
	return lines
}

func count(n int) string { return progress.Count(int64(n)) }

// files says how many files, and which one for instance.
func files(n int, example string) string {
	if n == 1 {
		return "1 file, " + example
	}
	return fmt.Sprintf("%s files, such as %s", count(n), example)
}

// signing are the secrets that files may be signed under, those first that a CMTS holds.
type signing struct {
	names   []string
	secrets []*mic.Secret
	used    int // the first so many are held by a CMTS
}

// signing returns the secrets to check files under; none where none is configured: static files were signed by somebody else
// then, under a secret that is not known.
func (s *secrets) signing(cfg *config.Config) signing {
	var out signing
	if s == nil || cfg.Secrets == "" && cfg.SecretFile == "" {
		return out
	}
	for _, used := range []bool{true, false} {
		for _, state := range s.state.Secrets {
			if state.Used == used {
				out.names, out.secrets = append(out.names, state.Name), append(out.secrets, s.byName[state.Name])
			}
		}
		if used {
			out.used = len(out.names)
		}
	}
	return out
}

// audit checks the files that no template makes.
func (s *signing) audit(snap *library.Snapshot, parallel int) *library.Audit {
	return snap.Audit(s.secrets, mostShown, parallel)
}

// unchecked returns how many files have a CMTS MIC that no secret tells right from wrong.
func (s *signing) unchecked(a *library.Audit) int {
	if len(s.secrets) > 0 {
		return 0
	}
	return a.Keyed
}

// place says where a file is served from.
func place(a *library.Audited) string {
	if a.Item != (syntax.Pos{}) {
		return fmt.Sprintf("%s: Binary from %s", a.Item, a.Path)
	}
	return a.Path
}

// faultPlurals say what the files beyond mostShown have wrong.
var faultPlurals = [bootfile.NumFaults]string{
	bootfile.Empty: "are empty", bootfile.Cut: "are damaged", bootfile.NoMIC: "lack a MIC or their end", bootfile.CMMIC: "have a wrong CM MIC",
	bootfile.CMTSMIC: "have a CMTS MIC of no known secret", bootfile.MTAHash: "have a wrong hash",
}

// auditErrors returns a line for each file that a device or its CMTS refuses, of each kind mostShown.
func (s *signing) auditErrors(a *library.Audit) []string {
	var lines []string
	group := func(g *library.Group, text func(*library.Audited) string, more string) {
		for i := range g.First {
			lines = append(lines, place(&g.First[i])+": "+text(&g.First[i]))
		}
		if n := g.N - len(g.First); n > 0 {
			lines = append(lines, fmt.Sprintf("… and %s more static files %s", count(n), more))
		}
	}
	for f := bootfile.Sound + 1; f < bootfile.NumFaults; f++ {
		group(&a.Faulty[f], func(x *library.Audited) string { return x.Text }, "that "+faultPlurals[f])
	}
	for i := s.used; i < len(s.names); i++ {
		what := fmt.Sprintf("of the secret %s, which no CMTS holds any more", s.names[i])
		group(&a.Under[i], func(*library.Audited) string { return "the CMTS MIC (7) is " + what }, "with a CMTS MIC "+what)
	}
	return lines
}

// auditNotes returns what else there is to say of files that no template makes.
func (s *signing) auditNotes(snap *library.Snapshot, a *library.Audit) []string {
	var lines []string
	if n := s.unchecked(a); n > 0 {
		lines = append(lines, fmt.Sprintf("warning: the CMTS MICs of %s static files are unchecked: no secret is configured", count(n)))
	}
	if s.used > 1 {
		for i, g := range a.Under[:s.used] {
			if g.N > 0 {
				lines = append(lines, fmt.Sprintf("note: %s signed under %s: a CMTS with another secret rejects a modem that has one; resign: on for their directory signs them for each",
					files(g.N, g.First[0].Path), s.names[i]))
			}
		}
	}
	if n, path, at := snap.Hiding(); n > 0 {
		what := "static files hide a pattern"
		if n == 1 {
			what = "static file hides a pattern"
		}
		lines = append(lines, fmt.Sprintf("warning: %s %s, such as %s, which %s would make: a static file goes before a pattern; remove the files that patterns are to make",
			count(n), what, path, at))
	}
	if _, n, path := snap.Resigned(); n > 0 {
		lines = append(lines, "note: "+files(n, path)+", of directories with resign: served as they are, having no MIC and no hash")
	}
	return lines
}

// checkStatic tells of the files that no template makes, and whether all are right.
func checkStatic(e env, cfg *config.Config, s *secrets, snap *library.Snapshot) (ok bool) {
	sign := s.signing(cfg)
	a := sign.audit(snap, runtime.GOMAXPROCS(0))
	bad := slices.Concat(unreadable(snap), sign.auditErrors(a))
	for _, line := range slices.Concat(bad, sign.auditNotes(snap, a)) {
		fmt.Fprintln(e.stderr, line)
	}
	return len(bad) == 0
}

// leftBehind are files that go on being served under a secret that a rotation replaces.
type leftBehind struct {
	secret string
	library.Group
}

// staticSnapshot loads what the configuration serves, for the files that no template makes; nil: it serves none. What is
// wrong with templates is of no concern here.
func (j *secretJob) staticSnapshot() (*library.Snapshot, error) {
	switch {
	case j.file == "":
		return nil, errors.New("say --config for the static files to be looked at too")
	case len(j.cfg.Library)+len(j.cfg.Static) == 0:
		return nil, nil
	}
	lib, err := libraryConfig(&j.cfg)
	if err != nil {
		return nil, err
	}
	snap, err := library.Load(lib, nil)
	if snap == nil {
		return nil, err
	}
	return snap, nil
}

// auditRing checks the files that no template makes under secrets of the keyring; nil: there are none.
func (j *secretJob) auditRing(names []string) (*library.Audit, error) {
	snap, err := j.staticSnapshot()
	if snap == nil {
		return nil, err
	}
	var sign signing
	for _, name := range names {
		text, err := j.ring.Reveal(name)
		if err != nil {
			continue // no file can be told to be of a secret that is not there
		}
		sign.names, sign.secrets = append(sign.names, name), append(sign.secrets, mic.NewSecret([]byte(text.Reveal())))
	}
	a := snap.Audit(sign.secrets, 1, runtime.GOMAXPROCS(0))
	under := make([]library.Group, len(names)) // by the names that were asked for
	for i, name := range sign.names {
		under[slices.Index(names, name)] = a.Under[i]
	}
	a.Under = under
	return a, nil
}

// leaves finds the files that a rotation leaves under these of its old secrets.
func (j *secretJob) leaves(old map[string]bool) ([]leftBehind, error) {
	names := slices.Sorted(maps.Keys(old))
	a, err := j.auditRing(names)
	if a == nil {
		return nil, err
	}
	var left []leftBehind
	for i, name := range names {
		if a.Under[i].N > 0 {
			left = append(left, leftBehind{name, a.Under[i]})
		}
	}
	return left, nil
}

func (l *leftBehind) String() string {
	first := l.First[0]
	return fmt.Sprintf("%s, of %s: a CMTS that no longer holds it rejects the modems that get one; resign: on for %s, or sign them anew",
		files(l.N, first.Path), l.secret, filepath.Dir(first.Path))
}

// staticStatus tells under which secrets of the keyring the files are that no template makes.
func (j *secretJob) staticStatus() string {
	names := slices.Sorted(maps.Keys(j.ring.Secrets))
	a, err := j.auditRing(names)
	if err != nil {
		return firstLine(err)
	}
	if a == nil {
		return ""
	}
	var parts []string
	for i, name := range names {
		if g := a.Under[i]; g.N > 0 {
			parts = append(parts, fmt.Sprintf("%s under %s", files(g.N, g.First[0].Path), name))
		}
	}
	if g := a.Faulty[bootfile.CMTSMIC]; g.N > 0 {
		parts = append(parts, fmt.Sprintf("%s under none of these: CMTSes reject their modems", files(g.N, g.First[0].Path)))
	}
	return strings.Join(parts, "; ")
}
