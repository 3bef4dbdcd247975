package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/mapped"
)

// fileSource is a file of devices that was built elsewhere.
type fileSource struct {
	path string
	poll time.Duration

	mu     sync.Mutex
	names  []string // as Open returned them; nil: it was not called
	loaded version
	served string // identity of what was loaded; "": unknown
}

var _ attr.Versioned = (*fileSource)(nil)

// version identifies a file among those at the same path.
type version struct {
	inode uint64
	size  int64
	mtime time.Time
}

func versionOf(st fs.FileInfo) version {
	v := version{size: st.Size(), mtime: st.ModTime()}
	if sys, ok := st.Sys().(*syscall.Stat_t); ok {
		v.inode = sys.Ino
	}
	return v
}

// NewFile returns a source that reads a file written by Build or a localdb.Builder. It is loaded again when the file is replaced,
// which is checked at the interval poll, 0: each second.
func NewFile(path string, poll time.Duration) attr.Follower {
	if poll == 0 {
		poll = time.Second
	}
	return &fileSource{path: path, poll: poll}
}

func (f *fileSource) Name() string { return "file " + f.path }

// Open implements [attr.Source]. The file belongs to another program, which may write to it in place.
func (f *fileSource) Open(context.Context) (names []string, err error) {
	err = mapped.Read(func() error {
		names, err = f.open()
		return err
	})
	return names, err
}

func (f *fileSource) open() ([]string, error) {
	db, err := localdb.Open(f.path)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	f.names = append([]string{}, db.Names()...)
	f.mu.Unlock()
	return db.Names(), db.Close()
}

// Load implements [attr.Source].
func (f *fileSource) Load(ctx context.Context, yield func(*attr.Device) error) error {
	err := mapped.Read(func() error { return f.load(ctx, yield) })
	if errors.Is(err, mapped.ErrCut) {
		return fmt.Errorf("%s: %w", f.path, err)
	}
	return err
}

func (f *fileSource) load(ctx context.Context, yield func(*attr.Device) error) error {
	st, err := os.Stat(f.path)
	if err != nil {
		return err
	}
	db, err := localdb.Open(f.path)
	if err != nil {
		return err
	}
	defer db.Close()
	f.mu.Lock()
	f.loaded, f.served = versionOf(st), ""
	changed := f.names != nil && !slices.Equal(f.names, db.Names())
	f.mu.Unlock()
	if changed {
		return fmt.Errorf("%s: %w", f.path, attr.ErrColumns)
	}
	if err := db.Verify(ctx); err != nil {
		return err
	}
	err = db.Each(func(d *attr.Device) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return yield(d)
	})
	if err != nil {
		return err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.served = db.Identity()
	return nil
}

// Version implements [attr.Versioned].
func (f *fileSource) Version(time.Time) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.served
}

// Unchanged implements [attr.Versioned]. It verifies the file: so that damage is reported although what is in service is intact.
func (f *fileSource) Unchanged(ctx context.Context, version string) bool {
	st, err := os.Stat(f.path) // first: a file that replaces this one is seen by Follow
	if err != nil {
		return false
	}
	same := false
	err = mapped.Read(func() error {
		db, err := localdb.Open(f.path)
		if err != nil {
			return err
		}
		defer db.Close()
		same = db.Identity() == version
		if !same {
			return nil
		}
		return db.Verify(ctx)
	})
	if err != nil || !same {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.loaded, f.served = versionOf(st), version
	return true
}

func (f *fileSource) Follow(ctx context.Context, apply func([]attr.Change) error) error {
	tick := time.NewTicker(f.poll)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		st, err := os.Stat(f.path)
		if err != nil {
			continue // it may return, and its contents are known
		}
		f.mu.Lock()
		same := versionOf(st) == f.loaded
		f.mu.Unlock()
		if same {
			continue
		}
		if err := apply(nil); err != nil {
			return err
		}
	}
}

func (f *fileSource) Close() error { return nil }

// Built describes a file written by Build.
type Built struct {
	localdb.Stats
	Rejected attr.Rejected
	Names    []string // of the attributes
	Values   []int    // devices that have a value, by attribute
}

// Build writes a file of all devices of a source, for NewFile and localdb.Open. It opens the source, but does not close it. It
// calls progress, unless nil, repeatedly with the number of devices so far. On an error, a previous file remains.
func Build(ctx context.Context, path string, src attr.Source, opt localdb.Options, progress func(devices int)) (Built, error) {
	var out Built
	names, err := src.Open(ctx)
	if err != nil {
		return out, err
	}
	if _, err := attr.NewSchema(names...); err != nil {
		return out, err
	}
	b, err := localdb.Create(path, names, opt)
	if err != nil {
		return out, err
	}
	defer b.Abort()
	n := 0
	err = src.Load(ctx, func(d *attr.Device) error {
		if n++; n%1024 == 0 && progress != nil {
			progress(n)
		}
		err := b.Add(d)
		if countRejected(&out.Rejected, err) {
			return nil
		}
		return err
	})
	if err != nil {
		return out, err
	}
	if err := checkRejected(&out.Rejected, src, n); err != nil {
		return out, err
	}
	if progress != nil {
		progress(n)
	}
	out.Names = names
	out.Stats, err = b.CommitFunc(0, func(_ localdb.Stats, values []int) ([]byte, error) {
		out.Values = values
		return nil, nil
	})
	return out, err
}
