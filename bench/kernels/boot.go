package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// insideFlag makes the program run the job in the machine.
const insideFlag = "-inside"

// results is the serial line for results.
const results = "/dev/ttyS1"

// boot is the machine's init: it mounts the host's files below its root, runs the job there, and turns the machine off.
func boot() {
	if err := bootUp(); err != nil {
		fmt.Println("init:", err)
		tell(line{Error: err.Error()})
	}
	unix.Sync()
	_ = unix.Reboot(unix.LINUX_REBOOT_CMD_RESTART) // qemu exits, as it runs with -no-reboot
}

func bootUp() error {
	if err := unix.Mount("dev", "/dev", "devtmpfs", 0, ""); err != nil {
		return fmt.Errorf("devtmpfs: %w", err)
	}
	text, err := os.ReadFile("/job")
	if err != nil {
		return err
	}
	var j job
	if err := json.Unmarshal(text, &j); err != nil {
		return err
	}
	modules, err := filepath.Glob("/modules/*")
	if err != nil {
		return err
	}
	for _, m := range modules { // in order
		if err := loadModule(m); err != nil {
			return fmt.Errorf("%s: %w", m, err)
		}
	}
	for _, m := range []struct{ source, at, kind, options string }{
		{"root9p", "/low", "9p", "trans=virtio,version=9p2000.L,msize=512000,cache=loose,ro"},
		{"mem", "/mem", "tmpfs", ""},
	} {
		if err := unix.Mount(m.source, m.at, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := errors.Join(os.Mkdir("/mem/upper", 0o755), os.Mkdir("/mem/work", 0o755)); err != nil {
		return err
	}
	for _, m := range []struct{ source, at, kind, options string }{
		{"root", "/root", "overlay", "lowerdir=/low,upperdir=/mem/upper,workdir=/mem/work"},
		{"dev", "/root/dev", "devtmpfs", ""},
		{"proc", "/root/proc", "proc", ""},
		{"sys", "/root/sys", "sysfs", ""},
		{"run", "/root/run", "tmpfs", ""},
	} {
		if err := unix.Mount(m.source, m.at, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("mount %s: %w", m.at, err)
		}
	}
	if err := errors.Join(unix.Chroot("/root"), unix.Chdir("/")); err != nil {
		return err
	}
	cmd := exec.Command(j.Self, insideFlag, string(text))
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"}
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("inside: %w", err)
	}
	tell(line{Done: true})
	return nil
}

// loadModule loads a module, which may be compressed.
func loadModule(name string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	const compressed = 4 // MODULE_INIT_COMPRESSED_FILE of linux/module.h, since Linux 5.17
	flags := 0
	if !strings.HasSuffix(name, ".ko") {
		flags = compressed
	}
	return unix.FinitModule(int(f.Fd()), "", flags)
}

// tell sends a line to the host.
func tell(l line) {
	text, err := json.Marshal(l)
	if err != nil {
		panic(err) // consists of strings only
	}
	f, err := os.OpenFile(results, os.O_WRONLY|unix.O_NOCTTY, 0)
	if err != nil {
		fmt.Println("init:", err)
		return
	}
	_, _ = f.Write(append(text, '\n'))
	_ = f.Close() // waits until everything has been sent
}
