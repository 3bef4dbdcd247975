package library

import (
	"sync"

	"dcs/render/naming"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// maxCopied is the size in octets up to which a static file is copied to memory; a larger one is mapped.
const maxCopied = 64 << 10

// A File is a static file. Data is valid as long as the File is referenced.
type File struct {
	Data   []byte
	path   string
	id     fileID
	fault  *skeleton.Fault // why it cannot be served; Data is then nil
	resign bool            // it is below a directory whose boot files are signed again
	signed bool            // and is such a boot file

	isMapped bool // Data is the file itself
	tag      struct {
		once sync.Once
		text string
	}
}

// A placed file is a File with the index of its directory in Config.Static.
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
	served int            // files without a fault
}

// twins are two files of one directory whose names are equal because case is ignored.
type twins struct{ name, first, second string }

// claimTwins claims the names that two static files share for a fault.
func (s *Snapshot) claimTwins(l *loader) {
	for _, t := range s.static.twins {
		pos := syntax.Pos{File: t.second, Line: 1, Col: 1}
		l.errs.Addf(pos, "the name %q is that of %s too, as ignore_case is on: rename one", t.name, t.first)
		s.claimNames([]string{t.name}, &skeleton.Fault{Reason: skeleton.Ambiguous, Pos: pos, What: t.name, Text: l.errs[len(l.errs)-1].Msg})
	}
}

// A gap is a directory that could not be read: any name below it may be that of a file.
type gap struct {
	root   int    // as in placed
	prefix string // of names; "": the whole root
	fault  *skeleton.Fault
}

// Unreadable is a static file, or a directory of them, that could not be read.
type Unreadable struct {
	Path string
	Err  error
	Kept bool // the content loaded before is still served
}

// Unreadable returns the files and directories below the static directories that could not be read, in the order of the walk. Names of
// those that are not Kept get no file, not even from a pattern.
func (s *Snapshot) Unreadable() []Unreadable { return s.static.unread }

func unreadable(path, what string, err error) *skeleton.Fault {
	return &skeleton.Fault{
		Reason: skeleton.Broken, Pos: syntax.Pos{File: path, Line: 1, Col: 1}, Text: what + ": " + unwrapPath(err).Error(),
	}
}

// resolve sets found to the static file of its name, and reports whether there is one. It does not allocate, except for a file that is
// signed again and has no template yet.
func (s *staticFiles) resolve(snap *Snapshot, found *Found) bool {
	f := s.files[string(found.name)]
	for i := range s.gaps {
		g := &s.gaps[i]
		if len(found.name) >= len(g.prefix) && string(found.name[:len(g.prefix)]) == g.prefix && (f.File == nil || g.root < f.root) {
			found.fault = g.fault
			return true
		}
	}
	switch {
	case f.File == nil:
		return false
	case f.fault != nil:
		found.fault = f.fault
	case f.signed:
		if k := snap.table.signed(f.File, &s.cfg); k.fault != nil {
			found.fault = k.fault
		} else {
			found.lead(k.of)
		}
	default:
		found.File = f.File
	}
	return true
}
