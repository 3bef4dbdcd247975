package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"dcs/bench/rig"
)

// A job is what each machine does. All paths are those of the host, whose files the machine sees.
type job struct {
	Self    string // this program
	DCS     string
	Tests   string // test binary of package bpf
	Dir     string // directory of the files to serve
	Only    string
	Modules string // root of the kernel's modules
}

// withTests reports whether the tests of package bpf run too, which is only on request.
func (j *job) withTests() bool { return j.Only != "" && chosen("tests", j.Only) }

// A line is a message of a machine.
type line struct {
	Cell  *cell  `json:",omitempty"`
	Tests *tests `json:",omitempty"`
	Error string `json:",omitempty"`
	Done  bool   `json:",omitempty"`
}

// prepare builds the machines' binaries and writes the files to serve.
func prepare(ctx context.Context, s settings, dir string) (job, error) {
	j := job{Dir: dir, Only: s.only}
	var err error
	if j.DCS, err = filepath.Abs(s.dcs); err != nil {
		return j, err
	}
	if _, err := os.Stat(j.DCS); err != nil {
		return j, fmt.Errorf("%w; run make build", err)
	}
	if j.Self, err = rig.Build(ctx, dir, "./bench/kernels"); err != nil {
		return j, err
	}
	if j.withTests() {
		j.Tests = filepath.Join(dir, "bpf.test")
		cmd := exec.CommandContext(ctx, "go", "test", "-c", "-o", j.Tests, "dcs/bpf")
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
		if _, err := output(cmd); err != nil {
			return j, err
		}
	}
	return j, writeFiles(dir)
}

// A machine is a virtual machine.
type machine struct {
	kernel *kernel
	dir    string
	show   bool

	cells []cell
	tests []tests
	err   error
}

// early lists the modules for access to the host's files.
var early = []string{"virtio_pci", "9pnet_virtio", "9p", "overlay"}

// run boots the machine and reads its results until it ends.
func (m *machine) run(ctx context.Context, j job) error {
	if err := os.MkdirAll(m.dir, 0o755); err != nil {
		return err
	}
	j.Modules = m.kernel.root
	initrd := filepath.Join(m.dir, "initrd")
	if err := m.writeInitrd(ctx, initrd, j); err != nil {
		return err
	}
	ours, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	defer ours.Close()
	// no_timer_check: on a busy host an emulated timer may be late, which the kernel takes for a broken one.
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64",
		"-accel", accelerator(), "-cpu", "max,la57=off", "-smp", "2", "-m", "2G",
		"-display", "none", "-no-reboot", "-nic", "none", "-monitor", "none",
		"-kernel", m.kernel.image(), "-initrd", initrd, "-append", "console=ttyS0 panic=-1 no_timer_check loglevel=4 random.trust_cpu=on",
		"-serial", "stdio", "-add-fd", "fd=3,set=1", "-chardev", "file,id=results,path=/dev/fdset/1,append=on", "-serial", "chardev:results",
		"-fsdev", "local,path=/,security_model=none,readonly=on,multidevs=remap,id=f",
		"-device", "virtio-9p-pci,fsdev=f,mount_tag=root9p")
	cmd.ExtraFiles = []*os.File{theirs}
	var console bytes.Buffer
	cmd.Stdout = &console
	if m.show {
		cmd.Stdout = io.MultiWriter(&console, os.Stderr)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return errors.Join(err, theirs.Close())
	}
	if err := theirs.Close(); err != nil {
		return err
	}
	err = m.listen(ours)
	if ended := cmd.Wait(); err == nil || ctx.Err() != nil {
		err = errors.Join(ended, context.Cause(ctx))
	}
	if err != nil {
		return fmt.Errorf("%w; end of the console:\n%s", err, tail(console.String(), 40))
	}
	return nil
}

// accelerator returns qemu's accelerator.
func accelerator() string {
	if f, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0); err == nil {
		_ = f.Close()
		return "kvm"
	}
	return "tcg,thread=multi"
}

// listen reads the machine's messages until it ends.
func (m *machine) listen(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	done := false
	for lines.Scan() {
		var l line
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("message of the machine %q: %w", lines.Text(), err)
		}
		switch {
		case l.Cell != nil:
			m.cells = append(m.cells, *l.Cell)
			fmt.Fprintf(os.Stderr, "%s: %s, %s: %s\n", m.kernel.release, l.Cell.Device, l.Cell.Transport, l.Cell)
		case l.Tests != nil:
			m.tests = append(m.tests, *l.Tests)
			fmt.Fprintf(os.Stderr, "%s: %s\n", m.kernel.release, l.Tests)
		case l.Error != "":
			return errors.New(l.Error)
		case l.Done:
			done = true
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	switch {
	case !done:
		return errors.New("machine ended early")
	case len(m.cells)+len(m.tests) == 0:
		return errors.New("-only matches nothing")
	}
	return nil
}

// tail returns the last lines of a text.
func tail(s string, n int) string {
	all := strings.Split(strings.TrimSpace(s), "\n")
	return strings.Join(all[max(0, len(all)-n):], "\n")
}

// writeInitrd writes an archive with this program as init, the job, and the early modules.
func (m *machine) writeInitrd(ctx context.Context, name string, j job) error {
	var b bytes.Buffer
	a := archive{w: &b}
	a.dir("dev", "proc", "sys", "modules", "low", "mem", "root")
	self, err := os.ReadFile(j.Self)
	if err != nil {
		return err
	}
	a.file("init", 0o755, self)
	text, err := json.Marshal(j)
	if err != nil {
		return err
	}
	a.file("job", 0o644, text)
	modules, err := m.kernel.modules(ctx, early...)
	if err != nil {
		return err
	}
	for i, file := range modules {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		a.file(fmt.Sprintf("modules/%02d-%s", i, filepath.Base(file)), 0o644, text)
	}
	a.end()
	return os.WriteFile(name, b.Bytes(), 0o644)
}

// An archive is a file in cpio's "new ASCII" format (cpio(5)), which the kernel requires
// (Documentation/driver-api/early-userspace).
type archive struct {
	w     *bytes.Buffer
	inode int
}

func (a *archive) entry(name string, mode int, data []byte) {
	a.inode++
	links := 1
	fmt.Fprintf(a.w, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%s\x00",
		a.inode, mode, 0, 0, links, 0, len(data), 0, 0, 0, 0, len(name)+1, 0, name)
	a.pad()
	a.w.Write(data)
	a.pad()
}

func (a *archive) pad() {
	for a.w.Len()%4 != 0 {
		a.w.WriteByte(0)
	}
}

func (a *archive) dir(names ...string) {
	for _, name := range names {
		a.entry(name, 0o040755, nil)
	}
}

func (a *archive) file(name string, mode int, data []byte) { a.entry(name, 0o100000|mode, data) }

func (a *archive) end() { a.entry("TRAILER!!!", 0, nil) }
