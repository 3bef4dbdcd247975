package store

import (
	"context"
	"errors"
	"net/netip"
	"path/filepath"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// Saved reads what a Store of the same sources has on disk. It may be used while the Store is open, and does not have its very last
// changes, or those that the Store could not write.
type Saved struct{ s *Store }

// OpenSaved opens the files in dir. It returns nil and no error if there are none. It skips damaged parts of the journal, and
// calls SetMark of sources that are an [attr.Marker].
func OpenSaved(dir string, sources []attr.Source) (*Saved, error) {
	s := &Store{
		cfg:   Config{Shrink: defaultShrink, Now: func() time.Time { return time.Time{} }},
		fleet: make(fleet, len(sources)), ctx: context.Background(),
		macs: make(map[device.MAC]uint64), ips: make(map[netip.Addr]uint64),
		newMACs: make(map[device.MAC]struct{}), newIPs: make(map[netip.Addr]struct{}),
	}
	// The journal comes first: what a Store removes from it is in the files before.
	changes, err := openJournal(dir)
	if err != nil && !errors.Is(err, ErrJournal) {
		return nil, err
	}
	any := len(changes.records) > 0
	for i, src := range sources {
		o := &source{Source: src, i: i, path: filepath.Join(dir, fileName(src.Name()))}
		o.loading.Store(-1)
		db, meta, err := openFile(o.path)
		if err != nil {
			return nil, err
		}
		if db != nil {
			any = true
			o.meta, o.stats, o.named, o.names = meta, db.Stats(), true, db.Names()
			s.fleet[i] = rows{base: db, cols: s.columns(db.Names())}
			s.remember(o)
			s.setMark(o, false)
		}
		s.srcs = append(s.srcs, o)
	}
	if !any {
		return nil, nil
	}
	s.replay(changes.records, 0)
	s.learn(nil) // now that it is known which sources have no attributes yet
	return &Saved{s}, nil
}

// Schema returns the attributes of the devices.
func (s *Saved) Schema() *attr.Schema { return s.s.schema }

// Explain finds a device, as Store.Explain does.
func (s *Saved) Explain(q attr.Query) (Explanation, bool) { return s.s.Explain(q.MAC, q.IP) }

// State returns the state of each source.
func (s *Saved) State() []State { return s.s.State() }

// Missing returns the names of sources without any data.
func (s *Saved) Missing() []string {
	var names []string
	for _, src := range s.s.srcs {
		if !src.named {
			names = append(names, src.Name())
		}
	}
	return names
}
