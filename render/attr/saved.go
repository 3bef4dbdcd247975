package attr

import (
	"context"
	"path/filepath"
)

// Saved is what a Store of the same sources has on disk. It may be read while the Store is open, and misses
// what has changed since its files were made, some minutes at most.
type Saved struct{ s *Store }

// OpenSaved opens the files in dir. It returns nil and no error if there are none yet. The sources are told what was loaded of
// them, if they are a [Marker].
func OpenSaved(dir string, sources []Source) (*Saved, error) {
	s := &Store{cfg: Config{Shrink: defaultShrink}, fleet: make(fleet, len(sources)), ctx: context.Background()}
	any := false
	for i, src := range sources {
		o := &source{Source: src, i: i, path: filepath.Join(dir, fileName(src.Name()))}
		o.loading.Store(-1)
		db, meta, err := openFile(o.path)
		if err != nil {
			return nil, err
		}
		if db != nil {
			any = true
			o.meta, o.stats, o.named = meta, db.Stats(), true
			s.fleet[i] = rows{base: db, cols: s.columns(db.Names())}
			s.remember(o)
			s.mark(o, false)
		}
		s.srcs = append(s.srcs, o)
	}
	if !any {
		return nil, nil
	}
	s.learn(nil) // now that it shows of which source nothing is known
	return &Saved{s}, nil
}

// Schema names the attributes of the devices.
func (s *Saved) Schema() *Schema { return s.s.schema }

// Explain finds a device, as Store.Explain does.
func (s *Saved) Explain(q Query) (Explanation, bool) { return s.s.Explain(q.MAC, q.HasMAC, q.IP) }

// State tells what there is of each source.
func (s *Saved) State() []State { return s.s.State() }

// Missing names the sources of which there is nothing.
func (s *Saved) Missing() []string {
	var names []string
	for _, src := range s.s.srcs {
		if s.s.fleet[src.i].base == nil {
			names = append(names, src.Name())
		}
	}
	return names
}
