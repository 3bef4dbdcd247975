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

// writeFile replaces a file's contents atomically: readers see the old or the new contents, never a mixture. Devices and pipes are
// written to in place, and symbolic links stay. In a world-writable directory such as /tmp, it neither follows another user's
// link nor writes to another user's file.
func writeFile(name string, data []byte) error { return replaceFile(name, data, tempfile.Create) }

// replaceFile is writeFile with the function of package tempfile that creates the new file.
func replaceFile(name string, data []byte, create func(string, fs.FileMode) (*tempfile.File, error)) error {
	mode := fs.FileMode(0o666)
	path, info, err := outputPath(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		path = name // a dangling link is replaced
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return writeDevice(path, data)
	default:
		mode = info.Mode().Perm()
	}
	f, err := create(path, mode)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Replace()
}

// writeDevice writes to a device or pipe. It fails if the path has become a regular file.
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

// outputPath follows symbolic links one by one, and returns the last path and its FileInfo.
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
			return path, end, nil // such as /dev/stdout, a link to a pipe without a name
		}
		dir, _ := filepath.Split(path)
		to, err := os.Readlink(path)
		if err != nil {
			return "", nil, err
		}
		if path = to; !filepath.IsAbs(to) {
			path = dir + to // not cleaned: the meaning of .. depends on the links before it
		}
	}
	return "", nil, &fs.PathError{Op: "open", Path: name, Err: syscall.ELOOP}
}

// refuseForeign returns an error for a file that another user has put into a world-writable sticky directory. It applies the rule
// of the kernel's fs.protected_symlinks, which a rename would bypass.
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
	return fmt.Errorf("%s: belongs to user %d, in a world-writable directory; use another file", path, file.Uid)
}
