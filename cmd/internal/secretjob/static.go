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

// leftBehind are static files that are signed with a secret that a rotation removes.
type leftBehind struct {
	secret string
	library.Group
}

// staticSnapshot loads the library for its static files; nil: the configuration has none. Errors in templates are ignored.
func (j *Job) staticSnapshot() (*library.Snapshot, error) {
	switch {
	case j.File == "":
		return nil, errors.New("no configuration; use --config to have static files checked too")
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

// auditRing finds which of the named secrets of the keyring the static files are signed with; nil: there are no static files.
func (j *Job) auditRing(names []string) (*library.Audit, error) {
	snap, err := j.staticSnapshot()
	if snap == nil {
		return nil, err
	}
	var sign assemble.Signing
	for _, name := range names {
		text, err := j.ring.Reveal(name)
		if err != nil {
			continue // it cannot be read
		}
		sign.Names, sign.Secrets = append(sign.Names, name), append(sign.Secrets, mic.NewSecret([]byte(text.Reveal())))
	}
	a := snap.Audit(context.Background(), sign.Secrets, 1, runtime.GOMAXPROCS(0))
	under := make([]library.Group, len(names)) // in the order of names
	for i, name := range sign.Names {
		under[slices.Index(names, name)] = a.Under[i]
	}
	a.Under = under
	return a, nil
}

// signedWith finds the static files that are signed with old secrets.
func (j *Job) signedWith(old map[string]bool) ([]leftBehind, error) {
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
	return fmt.Sprintf("%s signed with %s: a CMTS without that secret rejects the modems that get one; set resign: on for %s, or sign them again",
		assemble.Files(l.N, first.Path), l.secret, filepath.Dir(first.Path))
}

// staticStatus describes which secrets of the keyring the static files are signed with.
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
			parts = append(parts, fmt.Sprintf("%s signed with %s", assemble.Files(g.N, g.First[0].Path), name))
		}
	}
	if g := a.Faulty[bootfile.CMTSMIC]; g.N > 0 {
		parts = append(parts, fmt.Sprintf("%s signed with none of these: CMTSes reject their modems", assemble.Files(g.N, g.First[0].Path)))
	}
	return strings.Join(parts, "; ")
}
