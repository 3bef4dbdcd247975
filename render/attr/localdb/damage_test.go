package localdb

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/render/attr"
	"dcs/render/device"
)

// openToDamage opens the file of db for writing, though it is read-only.
func openToDamage(t *testing.T, db *DB) *os.File {
	t.Helper()
	if err := os.Chmod(db.file.Name(), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(db.file.Name(), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// zeroed opens a file of devices, calls before with it, and overwrites its rows with zeros.
func zeroed(t *testing.T, before func(*DB)) *DB {
	t.Helper()
	db, _ := build(t, Options{}, []string{"a"}, dev(1, "10.0.0.1", "one"), dev(2, "", "two"))
	before(db)
	f := openToDamage(t, db)
	defer f.Close()
	if _, err := f.WriteAt(make([]byte, db.h.rows.len), int64(db.h.rows.off)); err != nil {
		t.Fatal(err)
	}
	return db
}

// A device whose row was overwritten with zeros is not reported as unknown, whatever was verified before or is being verified.
func TestZeroed(t *testing.T) {
	for name, before := range map[string]func(*DB){
		"nothing compared": func(*DB) {},
		"a look-up compared it": func(db *DB) {
			if _, ok := db.Lookup(mac(1), nil); !ok {
				t.Error("no device")
			}
		},
		"all compared": func(db *DB) {
			if err := db.Verify(t.Context()); err != nil {
				t.Error(err)
			}
		},
		"taken for whole when damage was found": func(db *DB) {
			db.MarkDamaged(os.ErrInvalid)
			db.verified.Store(true)
		},
		"distrusted": func(db *DB) {
			if err := db.Verify(t.Context()); err != nil {
				t.Error(err)
			}
			db.verified.Store(false) // as ForgetVerified begins
		},
	} {
		t.Run(name, func(t *testing.T) {
			db := zeroed(t, before)
			queries := []attr.Query{{MAC: mac(1)}, {MAC: mac(2)}}
			db.LookupBatch(queries)
			for i := range queries {
				if q := &queries[i]; q.Found || !q.Damaged {
					t.Errorf("query %d: found %v, damaged %v", i, q.Found, q.Damaged)
				}
			}
		})
	}
}

// Altered values are not returned if a look-up has found damage while Verify still considers the file intact.
func TestAlteredMeanwhile(t *testing.T) {
	db, _ := build(t, Options{}, []string{"a"}, dev(1, "", "one"))
	f := openToDamage(t, db)
	defer f.Close()
	if _, err := f.WriteAt([]byte("two"), int64(db.cols[0].values+2)); err != nil { // after the empty value and the length
		t.Fatal(err)
	}
	db.MarkDamaged(os.ErrInvalid)
	db.verified.Store(true)
	queries := []attr.Query{{MAC: mac(1)}}
	if db.LookupBatch(queries); queries[0].Found || !queries[0].Damaged {
		t.Errorf("%+v", queries[0])
	}
}

// answer is the result of a look-up in the small file.
type answer struct {
	a, b string
	mac  device.MAC
	ok   bool
}

// small returns a file with content in each section, and a function that looks up all devices in it, and some others.
func small(t testing.TB) (file []byte, path string, ask func(db *DB) []answer) {
	path = filepath.Join(t.TempDir(), "small")
	b, err := Create(path, []string{"down", "name"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range uint64(24) {
		d := dev(i, fmt.Sprintf("10.0.0.%d", i), fmt.Sprint(i%3), strings.Repeat("n", int(i)*20))
		if i%2 == 0 {
			d.IP = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i))
		}
		if i%5 == 0 {
			d.MAC = device.MAC{}
		}
		if err := b.Add(d); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := b.Commit([]byte("made by a test")); err != nil {
		t.Fatal(err)
	}
	if file, err = os.ReadFile(path); err != nil {
		t.Fatal(err)
	}
	var v4, v6 [25]netip.Addr
	for i := range v4 {
		v4[i] = netip.MustParseAddr(fmt.Sprintf("10.0.0.%d", i))
		v6[i] = netip.MustParseAddr(fmt.Sprintf("2001:db8::%d", i))
	}
	return file, path, func(db *DB) (answers []answer) {
		note := func(v []string, mac device.MAC, ok bool) {
			a := answer{mac: mac, ok: ok}
			if ok && len(v) == 2 {
				a.a, a.b = strings.Clone(v[0]), strings.Clone(v[1])
			}
			answers = append(answers, a)
		}
		for i := range v4 {
			v, ok := db.Lookup(mac(uint64(i)), nil)
			note(v, mac(uint64(i)), ok)
			note(db.LookupIP(v4[i], nil))
			note(db.LookupIP(v6[i], nil))
		}
		return answers
	}
}

// Every octet of a file is altered in turn, and the file is truncated and extended: Open refuses it, or each answer is right or
// missing, and Verify fails.
func TestAltered(t *testing.T) {
	require.Long(t, "every octet altered")
	file, _, ask := small(t)
	good, err := newDB(file)
	if err != nil {
		t.Fatal(err)
	}
	want := ask(good)
	refused, none, right := 0, 0, 0
	for i := range file {
		bad := slices.Clone(file)
		bad[i] ^= byte(1 << (i % 8))
		db, err := newDB(bad)
		if err != nil {
			refused++
			continue
		}
		missing := false
		for j, got := range ask(db) {
			switch {
			case got == want[j]:
			case !got.ok:
				missing = true
			default:
				t.Fatalf("octet %d: %+v, want %+v", i, got, want[j])
			}
		}
		if missing {
			none++
			if db.Damaged() == nil {
				t.Fatalf("octet %d: a device was not found, and the file not known to be damaged", i)
			}
		} else {
			right++
		}
		if db.compare(db.start, db.h.sums.off-db.start) {
			t.Fatalf("octet %d: altered, and not found out", i)
		}
	}
	t.Logf("%d octets: %d refused, %d without some answer, %d with the same answers", len(file), refused, none, right)
	for _, n := range []int{0, 1, preamble - 1, preamble, 100, blockSize - 1, blockSize, len(file) / 2, len(file) - blockSize, len(file) - 1} {
		if _, err := newDB(slices.Clone(file[:n])); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut off after %d octets: %v", n, err)
		}
	}
	if _, err := newDB(append(slices.Clone(file), 0)); !errors.Is(err, ErrDamaged) {
		t.Errorf("one octet longer: %v", err)
	}
}

// TestAlteredOnDisk is TestAltered for a few octets of a file on disk.
func TestAlteredOnDisk(t *testing.T) {
	file, path, _ := small(t)
	good, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for i := 0; i < len(file); i += 509 {
		bad := slices.Clone(file)
		bad[i] ^= 0x80
		name := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(name, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(name)
		if err == nil {
			err = db.Verify(context.Background())
		}
		if !errors.Is(err, ErrDamaged) && !(i >= 8 && i < 12) { // another version is not damage
			t.Errorf("octet %d: %v", i, err)
		}
	}
	if err := good.Verify(context.Background()); err != nil {
		t.Error(err)
	}
	for _, name := range []string{dir, "/dev/null", filepath.Join(dir, "none")} {
		if _, err := Open(name); err == nil {
			t.Errorf("opened %s", name)
		}
	}
}

// resum corrects the checksums of a file.
func resum(file []byte) bool {
	h := new(header)
	if len(file) < blockSize {
		return false
	}
	size := int(binary.LittleEndian.Uint32(file[12:]))
	r := reader{b: file[preamble:]}
	for _, f := range h.fields() {
		*f = r.uint(8)
	}
	end := h.sums.off + h.sums.len
	if size < preamble || size > len(file) || h.sums.off > uint64(len(file)) || end > uint64(len(file)) || end < h.sums.off || h.sums.off < uint64(size) {
		return false
	}
	sums := file[h.sums.off:end]
	for i, at := 0, size; at+blockSize <= int(h.sums.off) && i+4 <= len(sums); i, at = i+4, at+blockSize {
		binary.LittleEndian.PutUint32(sums[i:], crc32.Checksum(file[at:at+blockSize], castagnoli()))
	}
	h.sumsCRC = uint64(crc32.Checksum(sums, castagnoli()))
	i := slices.Index(h.fields(), &h.sumsCRC)
	binary.LittleEndian.PutUint64(file[preamble+8*i:], h.sumsCRC)
	clear(file[16:24])
	binary.LittleEndian.PutUint64(file[16:], uint64(crc32.Checksum(file[:size], castagnoli())))
	return true
}

// A file with right checksums and any content is read without a panic.
func FuzzOpen(f *testing.F) {
	file, _, ask := small(f)
	f.Add(uint32(0), uint64(0), uint32(0), uint64(0))
	for i := range uint32(30) {
		f.Add(preamble+8*i, uint64(1)<<40, preamble+8*(i+7)%300, uint64(3))
		f.Add(blockSize+8*i, ^uint64(0), 2*blockSize+16*i, ^uint64(0))
	}
	f.Fuzz(func(t *testing.T, at1 uint32, x1 uint64, at2 uint32, x2 uint64) {
		bad := slices.Clone(file)
		for _, c := range []struct {
			at uint32
			x  uint64
		}{{at1, x1}, {at2, x2}} {
			at := int(c.at) % (len(bad) - 8)
			binary.LittleEndian.PutUint64(bad[at:], binary.LittleEndian.Uint64(bad[at:])^c.x)
		}
		if !resum(bad) {
			return
		}
		db, err := newDB(bad)
		if err != nil {
			return
		}
		ask(db)
		_ = db.Each(func(*attr.Device) error { return nil }) // that it ends is what counts
	})
}
