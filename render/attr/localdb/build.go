package localdb

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"dcs/render/attr"
	"dcs/render/tempfile"
)

// Options are options of Create. The zero value has the defaults.
type Options struct {
	Memory int // octets for sorting; 0: 64 MiB. Shared values take some more.
}

// Stats counts what is in a file.
type Stats struct {
	Devices    uint64
	WithMAC    uint64
	WithIP     uint64 // devices found by IP address
	Duplicates uint64 // devices replaced by a later one with the same MAC address, or the same IP address if that was the only key
	SharedIPs  uint64 // IP addresses that a later device took from an earlier one, which is still found by its MAC address
	Bytes      uint64 // of the file
	ValueBytes uint64 // of the values in it
}

func (h *header) stats() Stats {
	s := Stats{
		Devices: h.macs + h.tail - h.orphaned, WithMAC: h.macs, WithIP: h.ips,
		Duplicates: h.replaced + h.orphaned, SharedIPs: h.sharedIPs, Bytes: h.fileLen,
	}
	for i := range h.cols {
		s.ValueBytes += h.cols[i].values.len
	}
	return s
}

// Limits of distinct values of a column, and their octets, among which duplicates are found. Values beyond that most likely
// belong to one device each, and are stored without a search.
const (
	maxShared      = 1 << 16
	maxSharedBytes = 4 << 20
)

// Builder builds a file. It is not safe for concurrent use. It creates temporary files in the same directory; a file of the same
// name is not touched before Commit.
type Builder struct {
	path  string
	dir   string
	opt   Options
	cols  []*valueColumn
	names []string
	macs  *sorter // by hash
	ips   *sorter // devices without a MAC address, by hash of the IP address
	seq   uint64
	rec   []byte
	hasIP bool  // of any device
	err   error // of the disk; sticky
}

// Layout of the records of devices in sorters: key, IP address, flags, number, offsets of values.
const (
	devKey    = 8 // MAC: hash<<16; IP: hash
	ipKey     = 8 + 16
	recFlags  = ipKey
	recSeq    = recFlags + 1
	recValues = recSeq + 8
)

// Create starts to build a file of devices with the given attributes.
func Create(path string, names []string, opt Options) (*Builder, error) {
	if len(names) > MaxColumns {
		return nil, fmt.Errorf("%d attributes, more than %d", len(names), MaxColumns)
	}
	if opt.Memory <= 0 {
		opt.Memory = 64 << 20
	}
	b := &Builder{path: path, dir: filepath.Dir(path), opt: opt, names: append([]string(nil), names...)}
	for _, n := range names {
		if len(n) > maxName {
			return nil, fmt.Errorf("name of an attribute has %d octets, more than %d", len(n), maxName)
		}
		c := &valueColumn{ids: make(map[string]uint32), size: 1} // offset 0 means none
		var err error
		if c.file, err = unnamed(b.dir); err != nil {
			b.Abort()
			return nil, err
		}
		c.w = bufio.NewWriterSize(c.file, 1<<16)
		b.cols = append(b.cols, c)
		if err := c.w.WriteByte(0); err != nil {
			b.Abort()
			return nil, err
		}
	}
	size := recValues + 4*len(names)
	b.rec = make([]byte, size)
	b.macs = newSorter(b.dir, size, devKey, opt.Memory*3/4)
	b.ips = newSorter(b.dir, size, ipKey, opt.Memory/4)
	return b, nil
}

// Add adds a device. It replaces an earlier one with the same MAC address, or with the same IP address if neither has a MAC
// address. An error that wraps attr.ErrDevice is about this device, which is left out; any other ends the build.
func (b *Builder) Add(d *attr.Device) error {
	if b.err != nil {
		return b.err
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return fmt.Errorf("%w: neither a MAC address nor an IP address", attr.ErrDevice)
	}
	if d.IP.Zone() != "" {
		return fmt.Errorf("%w: IP address %s has a zone", attr.ErrDevice, d.IP)
	}
	if len(d.Values) > len(b.cols) {
		return fmt.Errorf("%w: %d values, more than attributes", attr.ErrDevice, len(d.Values))
	}
	for i, v := range d.Values {
		if len(v) > MaxValue {
			return fmt.Errorf("%w: %s has %d octets, more than %d", attr.ErrDevice, b.names[i], len(v), MaxValue)
		}
	}
	b.err = b.add(d)
	return b.err
}

func (b *Builder) add(d *attr.Device) error {
	rec := b.rec
	clear(rec)
	be := binary.BigEndian
	flags := byte(flagUsed)
	if d.IP.IsValid() {
		a := d.IP.As16()
		copy(rec[8:], a[:])
		be.PutUint64(rec, hashIP(a))
		flags |= ipFlag(d.IP)
		b.hasIP = true
	}
	if !d.MAC.IsZero() {
		flags |= flagMAC
		be.PutUint64(rec, hashMAC(d.MAC)<<16)
	}
	rec[recFlags] = flags
	b.seq++
	be.PutUint64(rec[recSeq:], b.seq)
	for i, v := range d.Values {
		id, err := b.cols[i].place(v)
		if err != nil {
			return fmt.Errorf("%s: %w", b.names[i], err)
		}
		be.PutUint32(rec[recValues+4*i:], id)
	}
	if !d.MAC.IsZero() {
		return b.macs.add(rec)
	}
	return b.ips.add(rec)
}

func ipFlag(ip netip.Addr) byte {
	if ip.Is4() || ip.Is4In6() {
		return flagIPv4
	}
	return flagIPv6
}

// valueColumn collects the values of one attribute.
type valueColumn struct {
	ids   map[string]uint32
	bytes int // of the values in ids
	size  uint64
	file  *os.File
	w     *bufio.Writer
}

// place returns the offset of v among the values, and adds v if necessary.
func (c *valueColumn) place(v string) (uint32, error) {
	if v == "" {
		return 0, nil
	}
	if id, ok := c.ids[v]; ok {
		return id, nil
	}
	id := c.size
	var length [binary.MaxVarintLen64]byte
	n := binary.PutUvarint(length[:], uint64(len(v)))
	if id+uint64(n+len(v)) > 1<<32-1 {
		return 0, errors.New("values take more than 4 GiB")
	}
	c.size += uint64(n + len(v))
	if len(c.ids) < maxShared && c.bytes+len(v) <= maxSharedBytes {
		v = strings.Clone(v) // the caller may reuse its memory
		c.ids[v] = uint32(id)
		c.bytes += len(v)
	}
	if _, err := c.w.Write(length[:n]); err != nil {
		return 0, err
	}
	_, err := c.w.WriteString(v)
	return uint32(id), err
}

// Abort ends the build without a file. It has no effect after Commit.
func (b *Builder) Abort() {
	for _, c := range b.cols {
		c.file.Close()
	}
	if b.macs != nil {
		b.macs.done()
		b.ips.done()
	}
	if b.err == nil {
		b.err = errors.New("the build has ended")
	}
}

// Commit writes the file, with meta in its header for the caller's use, syncs it, and renames it. A previous file of that name
// remains until then, and if Commit returns an error. The file gets the mode of the previous one, and its owner and group if
// permitted; otherwise its owner and group may read it, since attributes may be secrets.
func (b *Builder) Commit(meta []byte) (Stats, error) {
	return b.CommitFunc(len(meta), func(Stats, []int) ([]byte, error) { return meta, nil })
}

// CommitFunc is Commit with metadata that depend on the contents of the file. When these are written, it calls meta with the
// file's counts and, by attribute, the number of devices that have a value. meta returns at most room octets, which are padded
// with spaces. If it returns an error, CommitFunc returns that, and the previous file remains.
func (b *Builder) CommitFunc(room int, meta func(st Stats, values []int) ([]byte, error)) (Stats, error) {
	defer b.Abort()
	if b.err != nil {
		return Stats{}, b.err
	}
	if room > maxMeta {
		return Stats{}, fmt.Errorf("%d octets of metadata, more than %d", room, maxMeta)
	}
	f, err := tempfile.Create(b.path, 0o600)
	if err != nil {
		return Stats{}, err
	}
	defer f.Abort()
	h, err := b.write(f.File, room, meta)
	if err == nil {
		err = b.preserveOwner(f.File)
	}
	if err == nil {
		err = f.Commit()
	}
	if err != nil {
		return Stats{}, err
	}
	return h.stats(), nil
}

// preserveOwner gives f the owner and the mode of the file that it replaces.
func (b *Builder) preserveOwner(f *os.File) error {
	old, err := os.Stat(b.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return f.Chmod(0o440)
	case err != nil:
		return err
	}
	if st, ok := old.Sys().(*syscall.Stat_t); ok && (int(st.Uid) != os.Geteuid() || int(st.Gid) != os.Getegid()) {
		err := f.Chown(int(st.Uid), int(st.Gid))
		if errors.Is(err, fs.ErrPermission) {
			err = f.Chown(-1, int(st.Gid)) // allowed if the process belongs to the group
		}
		if err != nil && !errors.Is(err, fs.ErrPermission) {
			return err
		}
	}
	return f.Chmod(old.Mode().Perm())
}
