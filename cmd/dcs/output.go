package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/assemble"
	"dcs/render/tempfile"
)

// writeFile replaces the file's contents at once: whoever reads it gets the old ones
// or the new ones whole. A device or pipe is written to as it is, and a symbolic link stays. In a directory that anybody may
// write to, as /tmp, what another user has put there is neither followed nor written.
func writeFile(name string, data []byte) error {
	mode := fs.FileMode(0o666)
	path, info, err := outputPath(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		path = name // a link to nothing is replaced
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return writeDevice(path, data)
	default:
		mode = info.Mode().Perm()
	}
	f, err := tempfile.Create(path, mode)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Replace()
}

// writeDevice writes to what is no regular file, nor has become one.
func writeDevice(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = fmt.Errorf("%s: replaced by a file meanwhile", path)
	}
	if err == nil {
		_, err = f.Write(data)
	}
	return errors.Join(err, f.Close())
}

// outputPath follows the links that a file's name may be, one after the other, and returns the last name and what it is.
func outputPath(name string) (path string, info fs.FileInfo, err error) {
	path = name
	for range assemble.MaxLinks {
		if info, err = os.Lstat(path); err != nil {
			return "", nil, err
		}
		if err := refuseForeign(path, info); err != nil {
			return "", nil, err
		}
		if info.Mode().Type() != fs.ModeSymlink {
			return path, info, nil
		}
		if end, err := os.Stat(path); err == nil && !end.Mode().IsRegular() {
			return path, end, nil // such as /dev/stdout, which leads to a pipe without a name
		}
		dir, _ := filepath.Split(path)
		to, err := os.Readlink(path)
		if err != nil {
			return "", nil, err
		}
		if path = to; !filepath.IsAbs(to) {
			path = dir + to // not cleaned: what .. means is up to the links before it
		}
	}
	return "", nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
}

// refuseForeign refuses what another user has put into a directory that anybody may write to, by the rule of the kernel's
// fs.protected_symlinks, which a rename would pass by.
func refuseForeign(path string, info fs.FileInfo) error {
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	const shared = fs.ModeSticky | 0o002
	file, ok := info.Sys().(*syscall.Stat_t)
	of, ok2 := dir.Sys().(*syscall.Stat_t)
	if !ok || !ok2 || dir.Mode()&shared != shared || int(file.Uid) == os.Geteuid() || file.Uid == of.Uid {
		return nil
	}
	return fmt.Errorf("%s: belongs to user %d, in a directory that anybody may write to; name another file", path, file.Uid)
}
