package keyring

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"dcs/render/tempfile"
)

// marshal returns the file's text. Of its comments only the header is preserved.
func (f *File) marshal() []byte {
	b := &bytes.Buffer{}
	b.WriteString(f.Header)
	fmt.Fprintf(b, "generation: %d\ndefault: %s\nsecrets:\n", f.Generation, quote(f.Default))
	for _, name := range slices.Sorted(maps.Keys(f.Secrets)) {
		s := f.Secrets[name]
		fmt.Fprintf(b, "  %s:\n", quote(name))
		switch {
		case s.Env != "":
			fmt.Fprintf(b, "    env: %s\n", quote(s.Env))
		case s.Credential != "":
			fmt.Fprintf(b, "    credential: %s\n", quote(s.Credential))
		case s.File != "":
			fmt.Fprintf(b, "    file: %s\n", quote(s.File))
		default:
			fmt.Fprintf(b, "    text: %s\n", quote(s.Text.Reveal()))
		}
		if s.Since > 0 {
			fmt.Fprintf(b, "    since: %d\n", s.Since)
		}
	}
	if f.Fleet != "" {
		fmt.Fprintf(b, "fleet: %s\n", quote(f.Fleet))
	}
	if f.KnownHosts != "" {
		fmt.Fprintf(b, "known_hosts: %s\n", quote(f.KnownHosts))
	}
	if len(f.Drivers) > 0 {
		b.WriteString("drivers:\n")
		for _, dir := range f.Drivers {
			fmt.Fprintf(b, "  - %s\n", quote(dir))
		}
	}
	if len(f.Holders) > 0 {
		b.WriteString("cmts:\n")
		for _, name := range slices.Sorted(maps.Keys(f.Holders)) {
			fmt.Fprintf(b, "  %s: %s\n", quote(name), quote(f.Holders[name]))
		}
	}
	if len(f.Prefixes) > 0 {
		b.WriteString("prefixes:\n")
		for _, p := range slices.SortedFunc(maps.Keys(f.Prefixes), netip.Prefix.Compare) {
			fmt.Fprintf(b, "  %q: %s\n", p, quote(f.Prefixes[p]))
		}
	}
	return b.Bytes()
}

// quote returns a text in YAML's double quotes.
func quote(s string) string { return strconv.Quote(s) }

// Save replaces the file atomically, with the next generation: after a crash it is either the old or the new one, complete.
// Owner and mode are preserved; a new file has mode 0600.
func (f *File) Save() error {
	path, err := filepath.EvalSymlinks(f.Path)
	if err != nil {
		path = f.Path
	}
	f.Generation++
	err = replace(path, f.marshal())
	if err != nil {
		f.Generation--
		return fmt.Errorf("save keyring: %w", err)
	}
	return nil
}

// replace writes the file, and returns once it is on disk.
func replace(path string, data []byte) error {
	out, err := tempfile.Create(path, 0o600)
	if err != nil {
		return err
	}
	defer out.Abort()
	if info, err := os.Stat(path); err == nil {
		if st, ok := info.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
			if err := out.Chown(int(st.Uid), int(st.Gid)); err != nil {
				return fmt.Errorf("preserve the owner: %w", err)
			}
		}
		if err := out.Chmod(info.Mode().Perm()); err != nil {
			return err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := out.Write(data); err != nil {
		return err
	}
	return out.Commit()
}

// SyncDir writes to disk what was created, renamed or removed in a directory.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
