package library

import (
	"cmp"
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"dcs/render/bootfile"
	"dcs/render/mapped"
	"dcs/render/mic"
	"dcs/render/syntax"
)

// Audited is the result of checking a static file or a Binary item.
type Audited struct {
	Path string
	Item syntax.Pos // the Binary item that serves it; zero: it is below a static directory
	bootfile.Report
}

// Group is a number of files, with the first of them by path.
type Group struct {
	N     int
	First []Audited
}

func (g *Group) add(a Audited, most int) {
	if g.N++; len(g.First) < most {
		g.First = append(g.First, a)
	}
}

// Audit is the result of checking the files that no template renders: those below static directories and those of Binary items without
// resign.
type Audit struct {
	Files  int
	Faulty [bootfile.NumFaults]Group // by fault
	Keyed  int                       // sound boot files with a keyed MIC that are not signed again
	Under  []Group                   // sound files by the secret that they are signed with
}

// Refused returns the number of files that a modem or its CMTS would refuse.
func (a *Audit) Refused() int {
	n := 0
	for i := range a.Faulty {
		n += a.Faulty[i].N
	}
	return n
}

// Audit checks all files that no template renders against all secrets, with the given number of goroutines, one of which is the caller's, and returns
// at most the first most files of each group. Files larger than bootfile.MaxSize are not read. If ctx is cancelled it
// returns nil.
func (s *Snapshot) Audit(ctx context.Context, secrets []*mic.Secret, most, parallel int) *Audit {
	files := s.served()
	var next atomic.Int64
	var all sync.WaitGroup
	check := func() {
		c := bootfile.Checker{Secrets: secrets}
		for i := next.Add(1) - 1; i < int64(len(files)) && ctx.Err() == nil; i = next.Add(1) - 1 {
			files[i].check(&c)
		}
	}
	for range min(parallel, len(files)) - 1 {
		all.Go(check)
	}
	check()
	all.Wait()
	if ctx.Err() != nil {
		return nil
	}
	a := &Audit{Files: len(files), Under: make([]Group, len(secrets))}
	for i := range files {
		f := &files[i]
		if f.Fault != bootfile.Sound {
			a.Faulty[f.Fault].add(f.Audited, most)
			continue
		}
		if f.Keyed {
			a.Keyed++
		}
		if f.Secret >= 0 {
			a.Under[f.Secret].add(f.Audited, most)
		}
	}
	return a
}

// audited is a file during an audit.
type audited struct {
	Audited
	data   []byte
	hold   *File // keeps data valid
	resign bool  // it is signed again
}

// served lists the files to audit, sorted by path.
func (s *Snapshot) served() []audited {
	files := make([]audited, 0, len(s.static.files))
	for _, f := range s.static.files {
		if f.fault == nil {
			files = append(files, audited{Audited: Audited{Path: f.path}, data: f.Data, hold: f.File, resign: f.signed})
		}
	}
	for _, t := range s.templates {
		if data, path, ok := t.AsIs(); ok {
			files = append(files, audited{Audited: Audited{Path: path, Item: t.Pos()}, data: data})
		}
	}
	slices.SortFunc(files, func(a, b audited) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Item.File, b.Item.File), a.Item.Line-b.Item.Line, a.Item.Col-b.Item.Col)
	})
	return files
}

// Unrendered calls f with each file that no template renders and that is not larger than bootfile.MaxSize, by path, with the
// position of the Binary item that serves it (zero: none does). Data is valid during the call.
func (s *Snapshot) Unrendered(f func(path string, item syntax.Pos, data []byte)) {
	for _, a := range s.served() {
		data := a.data
		if len(data) > bootfile.MaxSize {
			continue
		}
		if len(data) > maxCopied {
			var err error
			if data, err = mapped.Copy(data); err != nil {
				continue // the audit says so
			}
		}
		f(a.Path, a.Item, data)
	}
}

func (f *audited) check(c *bootfile.Checker) {
	if f.resign {
		f.checkSigned()
		return
	}
	if len(f.data) <= maxCopied || len(f.data) > bootfile.MaxSize {
		f.Report = c.Check(f.data)
	} else if err := mapped.Read(func() error {
		f.Report = c.Check(f.data)
		return nil
	}); err != nil {
		f.Report = bootfile.Report{Fault: bootfile.Cut, Text: err.Error(), Secret: -1}
	}
}

// checkSigned checks whether a file can be signed again. The secret that it was signed with before does not matter.
func (f *audited) checkSigned() {
	f.Report = (&bootfile.Checker{}).Check(f.data)
	f.Keyed = false
	_, err := f.hold.template(&Config{})
	switch {
	case err == nil:
		f.Fault, f.Text = bootfile.Sound, ""
	case f.Fault == bootfile.Sound:
		f.Fault, f.Text = bootfile.Cut, err.Error()
	}
}
