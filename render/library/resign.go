package library

import (
	"errors"
	"unsafe"

	"dcs/render/bootfile"
	"dcs/render/mapped"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// takeOver decides whether a file below a directory with resign is a boot file to sign again, and copies it if so: the source of a
// template must not change. A file without a MIC or a hash, or larger than bootfile.MaxSize, is served as it is.
//
// Until it is requested, a file takes only its own size, at most 1 MiB; the template made from it then counts as a learned kind of name.
func (f *File) takeOver() error {
	if len(f.Data) > bootfile.MaxSize {
		return nil
	}
	return mapped.Read(func() error {
		f.signed = isSigned(f.Data)
		if f.signed && len(f.Data) > maxCopied {
			f.Data = append([]byte(nil), f.Data...)
		}
		return nil
	})
}

// isSigned reports whether a file is a boot file with a MIC or a hash, or may have been one before it was damaged.
func isSigned(file []byte) bool {
	switch bootfile.KindOf(file) {
	case bootfile.Modem, bootfile.MTA:
	default:
		return false
	}
	r, err := mic.Verify(file, nil)
	return err != nil || r.CM.Verdict != mic.Absent || r.CMTS.Verdict != mic.Absent || r.MTA.Verdict != mic.Absent
}

// template makes a template of a file that is signed again, like a Binary item with resign. A file whose own CM MIC or hash is not valid is
// refused: a new MIC would make modems accept a damaged file.
func (f *File) template(cfg *Config) (*Template, error) {
	r, err := mic.Verify(f.Data, nil)
	switch {
	case err != nil:
		return nil, err
	case r.MTA.Verdict == mic.Valid, r.CM.Verdict == mic.Valid:
	case r.MTA.Verdict == mic.Invalid:
		return nil, errors.New("invalid hash, so the file is damaged; create it again")
	case r.CM.Verdict == mic.Absent:
		return nil, errors.New("no CM MIC to verify the file with; create it again")
	default:
		return nil, errors.New("invalid CM MIC, so the file is damaged; create it again")
	}
	at := syntax.Pos{File: f.path, Line: 1, Col: 1}
	env := &skeleton.Env{
		Timestamp: cfg.Timestamp, ModemAddress: cfg.ModemAddress,
		ReadFile: func(syntax.Pos, string) ([]byte, error) { return f.Data, nil },
		Path:     func(syntax.Pos, string) string { return f.path },
	}
	made, err := skeleton.New(env, &syntax.Item{
		Pos: at, Kind: syntax.Binary, Resign: true, Name: f.path, NamePos: at, End: at,
		From: &syntax.String{Pos: at, Parts: []syntax.Part{{Lit: f.path}}},
	}, nil)
	if err != nil {
		var errs syntax.Errors
		if errors.As(err, &errs) {
			return nil, errors.New(errs[0].Msg)
		}
		return nil, err
	}
	return &Template{Template: made, resigned: true}, nil
}

// signedOctets is about the memory of a template that is made from a file, without its skeleton.
const signedOctets = 4096

// signed returns the kind that leads to the template of a file that is signed again, or that has the fault why there is none.
func (t *table) signed(f *File, cfg *Config) *kind {
	h := mix(uint64(uintptr(unsafe.Pointer(f))), 0)
	set := t.set(h)
	for i := range set {
		if k := set[i].Load(); k != nil && k.file == f {
			return k.touch()
		}
	}
	t.counts[t.shard(h)].misses.Add(1)
	k := &kind{hash: h, file: f}
	if of, err := f.template(cfg); err != nil {
		k.fault = unsignable(f.path, err)
	} else {
		k.of = of
	}
	return t.put(k)
}

func unsignable(path string, err error) *skeleton.Fault {
	return unreadable(path, "the file cannot be signed anew", err)
}

// Resigned returns the number of static files that are signed again, and the number of files below directories with resign that are
// served as they are, with the path of the first of these.
func (s *Snapshot) Resigned() (signed, asIs int, first string) {
	for _, f := range s.static.files {
		switch {
		case f.fault != nil || !f.resign:
		case f.signed:
			signed++
		default:
			if asIs++; asIs == 1 || f.path < first {
				first = f.path
			}
		}
	}
	return signed, asIs, first
}
