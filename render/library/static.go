package library

import (
	"sync"

	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// maxCopied is the size up to which a static file is kept in memory; a larger one is mapped.
const maxCopied = 64 << 10

// A File is a file that is served as it is, or but for its MICs. Its octets stay as long as somebody holds the File.
type File struct {
	Data   []byte
	path   string
	id     fileID
	fault  *skeleton.Fault // why it cannot be served; Data is nil then
	resign bool            // it lies in a directory whose boot files are signed anew
	signed bool            // and is one of these

	isMapped bool // Data is the file itself
	tag      struct {
		once sync.Once
		text string
	}
}

// A placed file is one with its directory's place in Config.Static.
type placed struct {
	*File
	root int
}

type staticFiles struct {
	cfg    Config            // of the load
	names  *naming.Rules     // of cfg
	files  map[string]placed // by name, as it is looked up
	twins  []twins
	dirs   map[string]bool // paths of directories whose files are known
	gaps   []gap           // directories whose files are not
	unread []Unreadable
	found  map[string]int // files by directory of the configuration, also those that are not served
	served int            // files that are no faults
}

// twins are two files of one directory whose names are one, as case is ignored.
type twins struct{ name, first, second string }

// claimTwins withholds the names that two static files have.
func (s *Snapshot) claimTwins(l *loader) {
	for _, t := range s.static.twins {
		pos := syntax.Pos{File: t.second, Line: 1, Col: 1}
		l.errs.Addf(pos, "the name %q is that of %s too, as ignore_case is on: rename one", t.name, t.first)
		s.claimNames([]string{t.name}, &skeleton.Fault{Reason: skeleton.Ambiguous, Pos: pos, What: t.name, Text: l.errs[len(l.errs)-1].Msg})
	}
}

// A gap is a directory that could not be read, so that any name below it may be that of a file.
type gap struct {
	root   int    // as in placed
	prefix string // of the names; "": the whole root
	fault  *skeleton.Fault
}

// Unreadable is a static file, or a directory of them, that could not be read.
type Unreadable struct {
	Path string
	Err  error
	Kept bool // what was loaded of it before goes on being served
}

// Unreadable returns what below the static directories could not be read, in the order of the walk. Unless it is kept
// its names get no file, not even from a pattern.
func (s *Snapshot) Unreadable() []Unreadable { return s.static.unread }

func unreadable(path, what string, err error) *skeleton.Fault {
	return &skeleton.Fault{
		Reason: skeleton.Broken, Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Text: what + ": " + unwrapPath(err).Error(),
	}
}

// learn returns what a name means among static files; nil, without an allocation: none has it.
func (s *staticFiles) learn(name []byte) *Learned {
	f := s.files[string(name)]
	for i := range s.gaps {
		g := &s.gaps[i]
		if len(name) >= len(g.prefix) && string(name[:len(g.prefix)]) == g.prefix && (f.File == nil || g.root < f.root) {
			return &Learned{name: skeleton.Name{Text: string(name)}, fault: g.fault}
		}
	}
	switch {
	case f.File == nil:
		return nil
	case f.fault != nil:
		return &Learned{name: skeleton.Name{Text: string(name)}, fault: f.fault}
	}
	if f.signed {
		return s.learnSigned(f.File, string(name))
	}
	return &Learned{File: f.File, name: skeleton.Name{Text: string(name)}}
}
