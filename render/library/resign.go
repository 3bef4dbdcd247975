package library

import (
	"errors"

	"dcs/render/bootfile"
	"dcs/render/mapped"
	"dcs/render/mic"
	"dcs/render/skeleton"
	"dcs/render/syntax"
)

// takeOver decides whether a file of a directory whose boot files are signed anew is one, and copies it if so: what a file is
// made from must not change beneath it. A file without a MIC or a hash is served as it is; so is one above bootfile.MaxSize.
//
// A file costs its own octets, one MiB at most, until somebody asks for it; what is then made of it is kept among the
// learned names, within their bound.
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

// isSigned tells whether a file is a boot file with a MIC or a hash, or is damaged so that it may have been one.
func isSigned(file []byte) bool {
	switch bootfile.KindOf(file) {
	case bootfile.Modem, bootfile.MTA:
	default:
		return false
	}
	r, err := mic.Verify(file, nil)
	return err != nil || r.CM.Verdict != mic.Absent || r.CMTS.Verdict != mic.Absent || r.MTA.Verdict != mic.Absent
}

// template makes a template of a file that is signed anew, as a Binary item with resign is. A file that its own CM MIC or
// hash does not vouch for is none: a new MIC would make a damaged file one that modems take.
func (f *File) template(cfg *Config) (*Template, error) {
	r, err := mic.Verify(f.Data, nil)
	switch {
	case err != nil:
		return nil, err
	case r.MTA.Verdict == mic.Valid, r.CM.Verdict == mic.Valid:
	case r.MTA.Verdict == mic.Invalid:
		return nil, errors.New("its hash is wrong, so it is damaged; make it anew")
	case r.CM.Verdict == mic.Absent:
		return nil, errors.New("it has no CM MIC to tell whether it is whole; make it anew")
	default:
		return nil, errors.New("its CM MIC is wrong, so it is damaged; make it anew")
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

// learnSigned returns what the name of a file means that is signed anew.
func (s *staticFiles) learnSigned(f *File, name string) *Learned {
	t, err := f.template(&s.cfg)
	if err != nil {
		return &Learned{name: skeleton.Name{Text: name}, fault: unsignable(f.path, err)}
	}
	return t.learned(skeleton.Name{Text: name})
}

func unsignable(path string, err error) *skeleton.Fault {
	return unreadable(path, "the file cannot be signed anew", err)
}

// Resigned tells whether the name is that of a static file that is signed anew.
func (l *Learned) Resigned() bool { return l.Template != nil && l.Template.resigned }

// Resigned returns how many static files are signed anew, and how many of the directories where that is wished are served
// as they are, with the path of the first of these.
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
