package secretjob

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"dcs/cmd/internal/assemble"
	"dcs/render/bootfile"
	"dcs/render/library"
	"dcs/render/mic"
)

// leftBehind are files that go on being served under a secret that a rotation replaces.
type leftBehind struct {
	secret string
	library.Group
}

// staticSnapshot loads what the configuration serves, for the files that no template makes; nil: it serves none. What is
// wrong with templates is of no concern here.
func (j *Job) staticSnapshot() (*library.Snapshot, error) {
	switch {
	case j.File == "":
		return nil, errors.New("say --config for the static files to be looked at too")
	case len(j.cfg.Library)+len(j.cfg.Static) == 0:
		return nil, nil
	}
	lib, err := assemble.Library(&j.cfg)
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
func (j *Job) auditRing(names []string) (*library.Audit, error) {
	snap, err := j.staticSnapshot()
	if snap == nil {
		return nil, err
	}
	var sign assemble.Signing
	for _, name := range names {
		text, err := j.ring.Reveal(name)
		if err != nil {
			continue // no file can be told to be of a secret that is not there
		}
		sign.Names, sign.Secrets = append(sign.Names, name), append(sign.Secrets, mic.NewSecret([]byte(text.Reveal())))
	}
	a := snap.Audit(context.Background(), sign.Secrets, 1, runtime.GOMAXPROCS(0))
	under := make([]library.Group, len(names)) // by the names that were asked for
	for i, name := range sign.Names {
		under[slices.Index(names, name)] = a.Under[i]
	}
	a.Under = under
	return a, nil
}

// leaves finds the files that a rotation leaves under these of its old secrets.
func (j *Job) leaves(old map[string]bool) ([]leftBehind, error) {
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
		assemble.Files(l.N, first.Path), l.secret, filepath.Dir(first.Path))
}

// staticStatus tells under which secrets of the keyring the files are that no template makes.
func (j *Job) staticStatus() string {
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
			parts = append(parts, fmt.Sprintf("%s under %s", assemble.Files(g.N, g.First[0].Path), name))
		}
	}
	if g := a.Faulty[bootfile.CMTSMIC]; g.N > 0 {
		parts = append(parts, fmt.Sprintf("%s under none of these: CMTSes reject their modems", assemble.Files(g.N, g.First[0].Path)))
	}
	return strings.Join(parts, "; ")
}
