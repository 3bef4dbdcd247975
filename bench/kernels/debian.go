package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// A kernel is an unpacked kernel of Debian.
type kernel struct {
	version string // of the package
	release string // as uname -r
	root    string // where the package is unpacked
}

// image returns the path of the kernel's image.
func (k *kernel) image() string { return filepath.Join(k.root, "boot", "vmlinuz-"+k.release) }

// meta is the package that depends on the newest kernel of a Debian suite.
var meta = regexp.MustCompile(`^linux-image-(?:(\d+)\.(\d+)-)?amd64$`)

// findKernels returns the kernel of Debian's release and the newest of its backports. It downloads what the cache
// lacks.
func findKernels(ctx context.Context, cache string) ([]*kernel, error) {
	cache, err := filepath.Abs(cache)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return nil, err
	}
	out, err := output(exec.CommandContext(ctx, "apt-cache", "pkgnames", "linux-image-"))
	if err != nil {
		return nil, err
	}
	release, newest := "", ""
	best := 0
	for name := range strings.FieldsSeq(out) {
		m := meta.FindStringSubmatch(name)
		switch {
		case m == nil:
		case m[1] == "":
			release = name
		default:
			major, _ := strconv.Atoi(m[1])
			minor, _ := strconv.Atoi(m[2])
			if v := major<<16 | minor; v > best {
				best, newest = v, name
			}
		}
	}
	if release == "" {
		return nil, errors.New("no package linux-image-amd64; run apt-get update first")
	}
	if newest == "" {
		return nil, errors.New("no package linux-image-N.N-amd64; add Debian's backports and run apt-get update first")
	}
	var all []*kernel
	for _, name := range []string{release, newest} {
		k, err := unpack(ctx, cache, name)
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}

// unpack unpacks the kernel that a package depends on.
func unpack(ctx context.Context, cache, name string) (*kernel, error) {
	out, err := output(exec.CommandContext(ctx, "apt-cache", "show", "--no-all-versions", name))
	if err != nil {
		return nil, err
	}
	depends := regexp.MustCompile(`(?m)^Depends: (linux-image-\S+)`).FindStringSubmatch(out)
	if depends == nil {
		return nil, fmt.Errorf("%s: no dependency on a kernel", name)
	}
	k := &kernel{release: strings.TrimPrefix(depends[1], "linux-image-")}
	if k.version, err = output(exec.CommandContext(ctx, "apt-cache", "show", "--no-all-versions", depends[1])); err != nil {
		return nil, err
	}
	version := regexp.MustCompile(`(?m)^Version: (\S+)`).FindStringSubmatch(k.version)
	if version == nil {
		return nil, fmt.Errorf("%s: no version", depends[1])
	}
	k.version = version[1]
	k.root = filepath.Join(cache, depends[1]+"_"+strings.ReplaceAll(k.version, ":", "%3a"))
	if _, err := os.Stat(filepath.Join(k.root, "complete")); err == nil {
		return k, nil
	}
	if err := os.RemoveAll(k.root); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(cache, "download-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	cmd := exec.CommandContext(ctx, "apt-get", "download", "-q", depends[1]+"="+k.version)
	cmd.Dir = dir
	if _, err := output(cmd); err != nil {
		return nil, fmt.Errorf("%w; apt-get update first?", err)
	}
	debs, _ := filepath.Glob(filepath.Join(dir, "*.deb"))
	if len(debs) != 1 {
		return nil, fmt.Errorf("apt-get download %s left %d files", depends[1], len(debs))
	}
	for _, args := range [][]string{{"dpkg", "-x", debs[0], k.root}, {"depmod", "-b", k.root, k.release}} {
		if _, err := output(exec.CommandContext(ctx, args[0], args[1:]...)); err != nil {
			return nil, err
		}
	}
	return k, os.WriteFile(filepath.Join(k.root, "complete"), nil, 0o644)
}

// modules returns the files of modules and their dependencies in the order of loading.
func (k *kernel) modules(ctx context.Context, names ...string) ([]string, error) {
	out, err := output(exec.CommandContext(ctx, "modprobe", append([]string{"-d", k.root, "-S", k.release, "--show-depends", "-a"}, names...)...))
	if err != nil {
		return nil, err
	}
	var files []string
	seen := map[string]bool{}
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) >= 2 && f[0] == "insmod" && !seen[f[1]] {
			seen[f[1]] = true
			files = append(files, f[1])
		}
	}
	return files, nil
}

// output runs a command and returns its output; the error includes its standard error.
func output(cmd *exec.Cmd) (string, error) {
	var out, complaint strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &complaint
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, strings.TrimSpace(complaint.String()))
	}
	return out.String(), nil
}
