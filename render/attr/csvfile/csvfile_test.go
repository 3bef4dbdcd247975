package csvfile

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/localdb"
	"dcs/render/attr/store"
)

func write(t testing.TB, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "devices.csv")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// load returns the names of a file's attributes, its devices as text, and its rejected rows.
func load(t testing.TB, cfg Config) (names, devices, rejected []string, err error) {
	t.Helper()
	cfg.OnReject = func(line int, reason string) { rejected = append(rejected, fmt.Sprintf("%d: %s", line, reason)) }
	s := New(cfg)
	if names, err = s.Open(t.Context()); err != nil {
		return
	}
	err = s.Load(t.Context(), func(d *attr.Device) error {
		text := ""
		if !d.MAC.IsZero() {
			text = fmt.Sprintf("%x ", d.MAC[:])
		}
		if d.IP.IsValid() {
			text += d.IP.String() + " "
		}
		devices = append(devices, text+strings.Join(d.Values, "|"))
		return nil
	})
	if r := s.(attr.Rejecter).Rejected(); r.Rows != len(rejected) {
		t.Errorf("%d rows rejected, %d reported", r.Rows, len(rejected))
	}
	return
}

func TestLoad(t *testing.T) {
	long := strings.Repeat("x", maxRecord)
	for name, tc := range map[string]struct {
		text     string
		comma    byte
		names    []string
		devices  []string
		rejected []string
	}{
		"plain": {
			text:  "mac,ip,down,up\n0a0102030405,10.0.0.1,100,10\n0a:01:02:03:04:06,,,\n",
			names: []string{"down", "up"}, devices: []string{"0a0102030405 10.0.0.1 100|10", "0a0102030406 |"},
		},
		"any order, BOM, CR LF, no last line end": {
			text:  "\ufeffup,IP,down, MAC \r\n10,2001:db8::1,100,0A-01-02-03-04-05\r\n,::ffff:10.0.0.2,,",
			names: []string{"up", "down"}, devices: []string{"0a0102030405 2001:db8::1 10|100", "10.0.0.2 |"},
		},
		"quotes": {
			text:  "mac,\"a \"\"b\"\"\",c\n\"0a0102030405\",\"x, \"\"y\"\"\",\"line 1\r\nline 2\"\r\n0a0102030406,\"\",\"\"\"\"\n",
			names: []string{`a "b"`, "c"}, devices: []string{"0a0102030405 x, \"y\"|line 1\r\nline 2", `0a0102030406 |"`},
		},
		"semicolons, empty lines": {
			text: "\n\nmac;a\n\n0a0102030405;1,5\n\r\n\n0a0102030406;\"2;5\"\n\n", comma: ';',
			names: []string{"a"}, devices: []string{"0a0102030405 1,5", "0a0102030406 2;5"},
		},
		"bad rows": {
			text:  "mac,ip,a\n0a0102030405,,1\n0a01020304,,2\n,10.0.0.300,3\n,,4\n0a0102030406,5\n,fe80::1%eth0,6\n0a0102030407,,7,8\n0a0102030408,,8\n00:00:00:00:00:00,10.0.0.9,9\n",
			names: []string{"a"}, devices: []string{"0a0102030405 1", "0a0102030408 8"},
			rejected: []string{
				`3: "0a01020304" is not a MAC address`,
				`4: "10.0.0.300" is not an IP address`,
				"5: neither a MAC nor an IP address",
				"6: 2 fields for 3 columns",
				`7: "fe80::1%eth0" is not an IP address`,
				"8: 4 fields for 3 columns",
				`10: "00:00:00:00:00:00" is all zeros, not the MAC address of a device`,
			},
		},
		"stray quotes cost their own rows": {
			text:  "mac,a\n0a0102030401,\"1\n0a0102030402,2\n0a0102030403,x\"3\"\n0a0102030404,\"4\"x\n0a0102030405,5\n0a0102030406,\"6",
			names: []string{"a"}, devices: []string{"0a0102030402 2", "0a0102030405 5"},
			rejected: []string{
				"2: text after the closing quote of field 2",
				"4: quote within unquoted field 2",
				"5: text after the closing quote of field 2",
				"7: unclosed quote",
			},
		},
		"a row without end": {
			text:  "mac,a\n0a0102030401,\"1\n0a0102030402," + long + "\n0a0102030403,3\n0a0102030404,4\n",
			names: []string{"a"}, devices: []string{"0a0102030403 3", "0a0102030404 4"},
			rejected: []string{
				"2: row is longer than 262144 octets; is a quote not closed?",
				"3: row is longer than 262144 octets; is a quote not closed?",
			},
		},
		"lines are counted through quotes": {
			text:  "ip,a\n10.0.0.1,\"1\n2\n3\"\nx,4\n",
			names: []string{"a"}, devices: []string{"10.0.0.1 1\n2\n3"}, rejected: []string{`5: "x" is not an IP address`},
		},
		"no attributes": {text: "mac\n0a0102030405\n", devices: []string{"0a0102030405 "}},
		"header alone":  {text: "mac,a", names: []string{"a"}},
	} {
		t.Run(name, func(t *testing.T) {
			names, devices, rejected, err := load(t, Config{Path: write(t, tc.text), Comma: tc.comma})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(names, tc.names) {
				t.Errorf("names %q, want %q", names, tc.names)
			}
			if !slices.Equal(devices, tc.devices) {
				t.Errorf("devices\n%.300q\nwant\n%.300q", devices, tc.devices)
			}
			if !slices.Equal(rejected, tc.rejected) {
				t.Errorf("rejected\n%q\nwant\n%q", rejected, tc.rejected)
			}
		})
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, tc := range map[string]struct{ text, want string }{
		"empty":               {"", "devices.csv:1: empty file"},
		"no key":              {"a,b\n1,2\n", "devices.csv:1: no column mac or ip"},
		"twice":               {"mac,a,a\n", "devices.csv:1: duplicate column a"},
		"two keys":            {"mac,MAC\n", "devices.csv:1: duplicate column mac"},
		"no name":             {"mac,,a\n", "devices.csv:1: column 2 has no name"},
		"another comma":       {"mac;a\n", "separated by ','"},
		"quote":               {"mac,\"a\nb\n", "devices.csv:1: unclosed quote"},
		"bare CRs":            {"mac,a\r0a0102030405,1\r0a0102030406,2\r", "devices.csv:1: CR without LF; save the file with LF or CR LF"},
		"bare CRs, quotes":    {"\"mac\",\"a\"\r\"0a0102030405\",\"1\"\r", "devices.csv:1: CR without LF; save the file with LF or CR LF"},
		"bare CRs, one field": {"mac\r0a0102030405\r", "devices.csv:1: CR without LF; save the file with LF or CR LF"},
		"bare CRs, long":      {"mac,a\r" + strings.Repeat("0a0102030405,1\r", maxRecord/10), "longer than 262144 octets: CR without LF; save the file with LF or CR LF"},
	} {
		if _, _, _, err := load(t, Config{Path: write(t, tc.text)}); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %q", name, err, tc.want)
		}
	}
	if _, _, _, err := load(t, Config{Path: "/nonexistent.csv"}); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// Files that are not regular are refused without waiting, as reading a pipe might.
func TestOnlyRegularFiles(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		pipe:        "is a pipe; a regular file is required",
		dir:         "is a directory; a regular file is required",
		"/dev/zero": "is a device; a regular file is required",
	} {
		done := make(chan [2]error, 1)
		go func() {
			s := New(Config{Path: path})
			_, err := s.Open(t.Context())
			done <- [2]error{err, s.Load(t.Context(), func(*attr.Device) error { return nil })}
		}()
		select {
		case errs := <-done:
			for _, err := range errs {
				if err == nil || !strings.Contains(err.Error(), path+" "+want) {
					t.Errorf("%s: %v, want %q", path, err, want)
				}
			}
		case <-time.After(30 * time.Second):
			t.Fatalf("%s: it waits", path)
		}
	}
}

func TestTooManyBadRows(t *testing.T) {
	file := func(good, bad int) string {
		var b strings.Builder
		b.WriteString("mac,a\n")
		for i := range good {
			fmt.Fprintf(&b, "%012x,1\n", i+1)
		}
		b.WriteString(strings.Repeat("x,1\n", bad))
		return write(t, b.String())
	}
	for _, tc := range []struct {
		good, bad, limit int
		ok               bool
	}{
		{10, 1000, 0, true},
		{10, 1001, 0, false},
		{200000, 2020, 0, true}, // one in a hundred
		{200000, 2021, 0, false},
		{10, 3, 3, true},
		{10, 4, 3, false},
		{10, 1, -1, false},
		{10, 0, -1, true},
		{0, 3, 0, false}, // no device at all
	} {
		_, _, _, err := load(t, Config{Path: file(tc.good, tc.bad), MaxRejected: tc.limit})
		if (err == nil) != tc.ok || err != nil && (!errors.Is(err, attr.ErrRejected) || !strings.Contains(err.Error(), fmt.Sprintf("line %d", tc.good+2))) {
			t.Errorf("%+v: %v", tc, err)
		}
	}
}

// A limit above the default also holds for the store.
func TestLimitAboveDefault(t *testing.T) {
	text := "mac,a\n020000000001,1\n" + strings.Repeat("x,1\n", 1500)
	src := New(Config{Path: write(t, text), MaxRejected: 1500})
	built, err := store.Build(t.Context(), filepath.Join(t.TempDir(), "built"), src, localdb.Options{}, nil)
	if err != nil || built.Devices != 1 || built.Rejected.Rows != 1500 || len(built.Rejected.First) != attr.MaxReported {
		t.Errorf("built: %v, %+v", err, built)
	}
	loaded := make(chan store.Event, 16)
	s, err := store.Open(store.Config{Dir: t.TempDir(), Sources: []attr.Source{src}, Now: time.Now, OnEvent: func(ev store.Event) {
		if ev.Kind == store.Loaded || ev.Kind == store.Failed {
			loaded <- ev
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if ev := <-loaded; ev.Kind != store.Loaded || s.State()[0].Rejected.Rows != 1500 {
		t.Errorf("loaded: %+v, %+v", ev, s.State()[0])
	}
}

// Columns that change while the file is in use are an error.
func TestColumnsChange(t *testing.T) {
	path := write(t, "mac,down,profile\n0a0102030405,100,gold\n")
	s := New(Config{Path: path})
	values := func() (got []string, err error) {
		err = s.Load(t.Context(), func(d *attr.Device) error {
			got = slices.Clone(d.Values)
			return nil
		})
		return got, err
	}
	for _, step := range []struct{ text, names, values string }{
		{"", "down profile", "100 gold"},
		{"mac,profile,down\n0a0102030405,gold,100\n", "profile down", "gold 100"},
		{"mac,profile,down,up\n0a0102030405,gold,100,10\n", "profile down up", "gold 100 10"},
	} {
		if step.text != "" {
			if err := os.WriteFile(path, []byte(step.text), 0o600); err != nil {
				t.Fatal(err)
			}
			if got, err := values(); !errors.Is(err, attr.ErrColumns) || got != nil {
				t.Errorf("%q, %v; want ErrColumns and no device", got, err)
			}
		}
		if names, err := s.Open(t.Context()); err != nil || strings.Join(names, " ") != step.names {
			t.Errorf("%q, %v; want %s", names, err, step.names)
		}
		if got, err := values(); err != nil || strings.Join(got, " ") != step.values {
			t.Errorf("%q, %v; want %s", got, err, step.values)
		}
	}
}

func TestWrittenWhileRead(t *testing.T) {
	path := write(t, "mac,a\n0a0102030405,1\n")
	err := New(Config{Path: path}).Load(t.Context(), func(*attr.Device) error {
		return os.WriteFile(path, []byte("mac,a\n0a0102030405,1\n0a0102030406,1\n"), 0o600)
	})
	if err == nil {
		t.Error("a file that was modified while it was read is accepted")
	}
}

// Well-formed files are read as encoding/csv reads them, however the reader splits them.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\",\"b\"\"c\"\r\n", "a,\"b\nc\"\n\n\nd,e", "\"", "a\"b,c\n", "\"a\"b\n", ",\n,", "\r\n\r", "a\rb\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, file []byte) {
		if len(file) > 4096 {
			return // octet by octet it takes long and shows no more
		}
		read := func(r io.Reader) (rows [][]string, bad int) {
			s := newScanner(r, ',')
			for {
				fields, _, err := s.next()
				var b *badRow
				switch {
				case err == io.EOF:
					return rows, bad
				case errors.As(err, &b):
					bad++
				case err != nil:
					t.Fatal(err)
				default:
					rows = append(rows, slices.Clone(fields))
				}
			}
		}
		rows, bad := read(bytes.NewReader(file))
		slow, badSlow := read(iotest.OneByteReader(bytes.NewReader(file)))
		if bad != badSlow || fmt.Sprintf("%q", rows) != fmt.Sprintf("%q", slow) {
			t.Fatalf("%q at once, %q octet by octet; %d and %d bad", rows, slow, bad, badSlow)
		}
		std := csv.NewReader(bytes.NewReader(file))
		std.FieldsPerRecord = -1
		want, err := std.ReadAll()
		if err != nil {
			return
		}
		// encoding/csv turns CR LF within quotes into LF, and drops a CR at the end of the file.
		norm := func(rows [][]string) string {
			return strings.ReplaceAll(fmt.Sprintf("%q", slices.DeleteFunc(rows, func(r []string) bool {
				return len(r) == 1 && strings.Trim(r[0], "\r") == ""
			})), `\r`, "")
		}
		if norm(rows) != norm(want) {
			t.Fatalf("%q, encoding/csv has %q", rows, want)
		}
	})
}

func BenchmarkLoad(b *testing.B) {
	var text bytes.Buffer
	text.WriteString("mac,ip,down,up,cpe,profile,firmware,serial\n")
	const rows = 100000
	for i := range rows {
		fmt.Fprintf(&text, "%012x,%s,100000000,10000000,16,residential-%d,vendor-6.1.%d-nosh.bin,SN%010d\n",
			i, netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), i%200, i%30, i)
	}
	path := filepath.Join(b.TempDir(), "devices.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o600); err != nil {
		b.Fatal(err)
	}
	s := New(Config{Path: path})
	b.SetBytes(int64(text.Len()))
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Load(b.Context(), func(*attr.Device) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(rows*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
