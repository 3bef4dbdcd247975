package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// The peers' packages, and libraries that a minimal Debian lacks. They are unpacked, never installed: installing would
// start daemons, and tftpd-hpa and atftpd conflict over a file.
var packages = []string{
	"dnsmasq-base", "tftpd-hpa", "atftpd",
	"libwrap0", "libnsl2", "libtirpc3", "libpcre2-8-0",
	"libnetfilter-conntrack3", "libnfnetlink0", "libmnl0", "libnftables1", "libnftnl11", "libxtables12", "libjansson4",
	"libedit2", "libbsd0", "libmd0", "libdbus-1-3", "libidn2-0", "libhogweed6", "libnettle8", "libgmp10",
}

// debian is a directory with each package unpacked in a directory of its name.
type debian struct {
	dir      string
	versions map[string]string
}

// unpack downloads and unpacks packages that dir lacks.
func unpack(dir string) (*debian, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	d := &debian{dir: dir, versions: map[string]string{}}
	for _, p := range packages {
		deb, err := d.archive(p)
		if err != nil {
			return nil, err
		}
		to := filepath.Join(dir, p)
		if out, err := exec.Command("dpkg", "-x", deb, to).CombinedOutput(); err != nil {
			return nil, fmt.Errorf("unpack %s: %w: %s", deb, err, out)
		}
		version, err := exec.Command("dpkg-deb", "-f", deb, "Version").Output()
		if err != nil {
			return nil, fmt.Errorf("version of %s: %w", deb, err)
		}
		d.versions[p] = string(bytes.TrimSpace(version))
	}
	return d, nil
}

func (d *debian) archive(name string) (string, error) {
	pattern := filepath.Join(d.dir, name+"_*.deb")
	if found, _ := filepath.Glob(pattern); len(found) > 0 {
		return found[0], nil
	}
	cmd := exec.Command("apt-get", "download", "-q", name)
	cmd.Dir = d.dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("apt-get download %s (apt-get update first?): %w: %s", name, err, out)
	}
	found, _ := filepath.Glob(pattern)
	if len(found) == 0 {
		return "", fmt.Errorf("apt-get download %s left no file in %s", name, d.dir)
	}
	return found[0], nil
}

// command returns a command for a program of a package, with the unpacked libraries.
func (d *debian) command(pkg, program string, args ...string) *exec.Cmd {
	var libs []string
	for _, p := range packages {
		for _, lib := range []string{"lib", "usr/lib"} {
			found, _ := filepath.Glob(filepath.Join(d.dir, p, lib, "*-linux-gnu"))
			libs = append(libs, found...)
		}
	}
	cmd := exec.Command(filepath.Join(d.dir, pkg, program), args...)
	cmd.Env = append(os.Environ(), "LD_LIBRARY_PATH="+strings.Join(libs, ":"))
	return cmd
}
