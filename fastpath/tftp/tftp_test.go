package tftp

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
)

func TestParseRequest(t *testing.T) {
	mac := [6]byte{0x0a, 0x01, 0x02, 0x03, 0x04, 0x05}
	for _, tt := range []struct {
		name string
		in   string
		want Request
		err  error
	}{
		// The frames of the RFCs.
		{name: "RFC 1350, section 5", in: "\x00\x01gold.cm\x00octet\x00", want: Request{Name: []byte("gold.cm")}},
		{name: "write request", in: "\x00\x02gold.cm\x00octet\x00", want: Request{Name: []byte("gold.cm")}},
		{name: "netascii", in: "\x00\x01a\x00netascii\x00", want: Request{Name: []byte("a"), NetASCII: true}},
		{
			name: "RFC 2347, tsize and blksize", in: "\x00\x01foobar\x00octet\x00tsize\x000\x00blksize\x001432\x00",
			want: Request{Name: []byte("foobar"), Options: Options{Has: Tsize | Blksize, Blksize: 1432}},
		},
		{name: "RFC 2349, timeout", in: "\x00\x01foobar\x00octet\x00timeout\x001\x00", want: Request{Name: []byte("foobar"), Options: Options{Has: Timeout, Timeout: 1}}},
		{
			name: "RFC 7440, windowsize", in: "\x00\x01foobar\x00octet\x00windowsize\x0016\x00",
			want: Request{Name: []byte("foobar"), Options: Options{Has: Windowsize, Windowsize: 16}},
		},

		{name: "case of name, mode, options", in: "\x00\x01Gold.CM\x00OcTeT\x00BLKSIZE\x008\x00", want: Request{Name: []byte("Gold.CM"), Options: Options{Has: Blksize, Blksize: 8}}},
		{name: "blksize at its most", in: "\x00\x01a\x00octet\x00blksize\x0065464\x00", want: Request{Name: []byte("a"), Options: Options{Has: Blksize, Blksize: 65464}}},
		{name: "blksize above it", in: "\x00\x01a\x00octet\x00blksize\x0065465\x00", want: Request{Name: []byte("a"), Options: Options{Has: Blksize, Blksize: 65464}}},
		{name: "blksize below 8", in: "\x00\x01a\x00octet\x00blksize\x007\x00", want: Request{Name: []byte("a"), Bad: Blksize}},
		{name: "blksize negative", in: "\x00\x01a\x00octet\x00blksize\x00-1\x00", want: Request{Name: []byte("a"), Bad: Blksize}},
		{name: "blksize empty", in: "\x00\x01a\x00octet\x00blksize\x00\x00", want: Request{Name: []byte("a"), Bad: Blksize}},
		{name: "timeout 0", in: "\x00\x01a\x00octet\x00timeout\x000\x00", want: Request{Name: []byte("a"), Bad: Timeout}},
		{name: "timeout 255", in: "\x00\x01a\x00octet\x00timeout\x00255\x00", want: Request{Name: []byte("a"), Options: Options{Has: Timeout, Timeout: 255}}},
		{name: "timeout 256", in: "\x00\x01a\x00octet\x00timeout\x00256\x00", want: Request{Name: []byte("a"), Bad: Timeout}},
		{name: "windowsize 0", in: "\x00\x01a\x00octet\x00windowsize\x000\x00", want: Request{Name: []byte("a"), Bad: Windowsize}},
		{name: "windowsize 65535", in: "\x00\x01a\x00octet\x00windowsize\x0065535\x00", want: Request{Name: []byte("a"), Options: Options{Has: Windowsize, Windowsize: 65535}}},
		{name: "windowsize 65536", in: "\x00\x01a\x00octet\x00windowsize\x0065536\x00", want: Request{Name: []byte("a"), Bad: Windowsize}},
		{
			name: "number beyond 64 bits", in: "\x00\x01a\x00octet\x00tsize\x00" + strings.Repeat("9", 40) + "\x00",
			want: Request{Name: []byte("a"), Options: Options{Has: Tsize, Tsize: math.MaxInt64}},
		},
		{name: "unknown option", in: "\x00\x01a\x00octet\x00multicast\x00\x00tsize\x000\x00", want: Request{Name: []byte("a"), Unknown: 1, Options: Options{Has: Tsize}}},
		{name: "padding", in: "\x00\x01a\x00octet\x00tsize\x000\x00\x00\x00\x00", want: Request{Name: []byte("a"), Options: Options{Has: Tsize}}},
		{
			name: "hwaddr, netaddr", in: "\x00\x01a\x00octet\x00hwaddr\x000a:01:02:03:04:05\x00netaddr\x0010.1.2.3\x00",
			want: Request{Name: []byte("a"), Options: Options{Has: HWAddr | NetAddr, HWAddr: mac, NetAddr: netip.MustParseAddr("10.1.2.3")}},
		},
		{name: "hwaddr with type", in: "\x00\x01a\x00octet\x00hwaddr\x001,0A-01-02-03-04-05\x00", want: Request{Name: []byte("a"), Options: Options{Has: HWAddr, HWAddr: mac}}},
		{name: "hwaddr in Cisco's form", in: "\x00\x01a\x00octet\x00hwaddr\x000a01.0203.0405\x00", want: Request{Name: []byte("a"), Options: Options{Has: HWAddr, HWAddr: mac}}},
		{name: "hwaddr bare", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030405\x00", want: Request{Name: []byte("a"), Options: Options{Has: HWAddr, HWAddr: mac}}},
		{name: "hwaddr too long", in: "\x00\x01a\x00octet\x00hwaddr\x000a010203040506\x00", want: Request{Name: []byte("a"), Bad: HWAddr}},
		{name: "hwaddr with half an octet", in: "\x00\x01a\x00octet\x00hwaddr\x00a01:02:03:04:05\x00", want: Request{Name: []byte("a"), Bad: HWAddr}},
		{
			name: "netaddr, IPv6", in: "\x00\x01a\x00octet\x00netaddr\x002001:db8::7\x00",
			want: Request{Name: []byte("a"), Options: Options{Has: NetAddr, NetAddr: netip.MustParseAddr("2001:db8::7")}},
		},
		{name: "netaddr with zone", in: "\x00\x01a\x00octet\x00netaddr\x00fe80::1%eth0\x00", want: Request{Name: []byte("a"), Bad: NetAddr}},
		{name: "longest name", in: "\x00\x01" + strings.Repeat("n", 512) + "\x00octet\x00", want: Request{Name: []byte(strings.Repeat("n", 512))}},

		{name: "empty packet", in: "", err: ErrShort},
		{name: "one octet", in: "\x00", err: ErrShort},
		{name: "opcode 0", in: "\x00\x00a\x00octet\x00", err: ErrOpcode},
		{name: "opcode 9", in: "\x00\x09a\x00octet\x00", err: ErrOpcode},
		{name: "opcode 0x0101", in: "\x01\x01a\x00octet\x00", err: ErrOpcode},
		{name: "nothing behind the opcode", in: "\x00\x01", err: ErrNameUnterminated},
		{name: "name not terminated", in: "\x00\x01gold", err: ErrNameUnterminated},
		{name: "empty name", in: "\x00\x01\x00octet\x00", err: ErrNameEmpty},
		{name: "name too long", in: "\x00\x01" + strings.Repeat("n", 513) + "\x00octet\x00", err: ErrNameLong},
		{name: "no mode", in: "\x00\x01gold\x00", err: ErrMode},
		{name: "mode not terminated", in: "\x00\x01gold\x00octet", want: Request{Name: []byte("gold")}},
		{name: "mode cut short", in: "\x00\x01gold\x00octe", err: ErrMode},
		{name: "mode binary, as octet was called once", in: "\x00\x01gold\x00BINARY\x00", want: Request{Name: []byte("gold")}},
		{name: "mode mail", in: "\x00\x01gold\x00mail\x00", err: ErrMode},
		{name: "empty mode", in: "\x00\x01gold\x00\x00", err: ErrMode},
		{name: "option not terminated", in: "\x00\x01a\x00octet\x00blksize", want: Request{Name: []byte("a")}},
		{name: "option without value", in: "\x00\x01a\x00octet\x00tsize\x000\x00blksize\x00", want: Request{Name: []byte("a"), Options: Options{Has: Tsize}}},
		{name: "value not terminated", in: "\x00\x01a\x00octet\x00blksize\x00512", want: Request{Name: []byte("a")}},
		{name: "empty option name", in: "\x00\x01a\x00octet\x00\x00512\x00", want: Request{Name: []byte("a")}},
		{name: "garbage behind two NULs", in: "\x00\x01a\x00octet\x00tsize\x000\x00\x00\x00\xff\xff", want: Request{Name: []byte("a"), Options: Options{Has: Tsize}}},
		{name: "option twice", in: "\x00\x01a\x00octet\x00tsize\x000\x00TSIZE\x000\x00", want: Request{Name: []byte("a"), Options: Options{Has: Tsize}}},
		{name: "the last value counts", in: "\x00\x01a\x00octet\x00blksize\x00512\x00blksize\x001024\x00", want: Request{Name: []byte("a"), Options: Options{Has: Blksize, Blksize: 1024}}},
		{name: "a valid value behind a bad one", in: "\x00\x01a\x00octet\x00timeout\x000\x00timeout\x001\x00", want: Request{Name: []byte("a"), Options: Options{Has: Timeout, Timeout: 1}}},
		{name: "a bad value behind a valid one", in: "\x00\x01a\x00octet\x00timeout\x001\x00timeout\x000\x00", want: Request{Name: []byte("a"), Options: Options{Has: Timeout, Timeout: 1}}},
		{name: "a bad option twice", in: "\x00\x01a\x00octet\x00timeout\x000\x00timeout\x000\x00", want: Request{Name: []byte("a"), Bad: Timeout}},
		{name: "two hundred options", in: "\x00\x01a\x00octet\x00" + strings.Repeat("x\x00y\x00", 200) + "blksize\x00512\x00", want: Request{Name: []byte("a"), Unknown: 200, Options: Options{Has: Blksize, Blksize: 512}}},

		// A modem that puts hwaddr or netaddr before those of its CMTS, or hides those, gets nothing.
		{
			name: "hwaddr twice, the same", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030405\x00hwaddr\x000a:01:02:03:04:05\x00",
			want: Request{Name: []byte("a"), Options: Options{Has: HWAddr, HWAddr: mac}},
		},
		{
			name: "hwaddr behind a bad one", in: "\x00\x01a\x00octet\x00hwaddr\x00none\x00hwaddr\x000a0102030405\x00",
			want: Request{Name: []byte("a"), Options: Options{Has: HWAddr, HWAddr: mac}},
		},
		{name: "two hwaddr", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030406\x00hwaddr\x000a0102030405\x00", err: ErrProxyOption},
		{name: "two netaddr", in: "\x00\x01a\x00octet\x00netaddr\x0010.0.0.1\x00NETADDR\x0010.0.0.2\x00", err: ErrProxyOption},
		{name: "hwaddr hidden behind padding", in: "\x00\x01a\x00octet\x00\x00hwaddr\x000a0102030405\x00", err: ErrProxyOption},
		{name: "hwaddr hidden behind an empty name", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030406\x00\x00\x00hwaddr\x000a0102030405\x00", err: ErrProxyOption},
		{name: "hwaddr as a value", in: "\x00\x01a\x00octet\x00x\x00hwaddr\x000a0102030405\x00", err: ErrProxyOption},
		{name: "netaddr as a value", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030406\x00x\x00HwAddr\x000a0102030405\x00netaddr\x0010.0.0.1\x00", err: ErrProxyOption},
		{name: "hwaddr as the end of a name", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030406\x00xhwaddr\x000a0102030405\x00netaddr\x0010.0.0.1\x00", err: ErrProxyOption},
		{name: "hwaddr as the end of a value", in: "\x00\x01a\x00octet\x00x\x00yhwaddr\x000a0102030405\x00netaddr\x0010.0.0.1\x00", err: ErrProxyOption},
		{name: "hwaddr not terminated", in: "\x00\x01a\x00octet\x00hwaddr\x000a0102030405", err: ErrProxyOption},
		{name: "longest request", in: "\x00\x01a\x00octet\x00x\x00" + strings.Repeat("y", 1024-13) + "\x00", want: Request{Name: []byte("a"), Unknown: 1}},
		{name: "request too long", in: "\x00\x01a\x00octet\x00x\x00" + strings.Repeat("y", 1024-12) + "\x00", err: ErrLong},
		{name: "an option of 65,535 octets", in: "\x00\x01a\x00octet\x00" + strings.Repeat("x", 65535) + "\x00y\x00", err: ErrLong},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var r Request
			err := ParseRequest([]byte(tt.in), &r)
			if !errors.Is(err, tt.err) {
				t.Fatalf("error %v, want %v", err, tt.err)
			}
			if err != nil {
				return
			}
			if !bytes.Equal(r.Name, tt.want.Name) {
				t.Errorf("name %q", r.Name)
			}
			r.Name, tt.want.Name = nil, nil
			if r.NetASCII != tt.want.NetASCII || r.Bad != tt.want.Bad || r.Unknown != tt.want.Unknown || r.Options != tt.want.Options {
				t.Errorf("got %+v\nwant %+v", r, tt.want)
			}
		})
	}
}

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		name string
		got  []byte
		want string
	}{
		{"RRQ", AppendRequest(nil, "foobar", "octet", &Options{Has: Blksize | Tsize, Blksize: 1432}), "\x00\x01foobar\x00octet\x00blksize\x001432\x00tsize\x000\x00"},
		{"DATA", AppendDATA(nil, 0x1234, []byte("body")), "\x00\x03\x12\x34body"},
		{"empty DATA", AppendDATA(nil, 0, nil), "\x00\x03\x00\x00"},
		{"ACK", AppendACK(nil, 0xfffe), "\x00\x04\xff\xfe"},
		{"ERROR", AppendERROR(nil, CodeNotFound, "File not found"), "\x00\x05\x00\x01File not found\x00"},
		{
			"OACK", AppendOACK(nil, &Options{Has: Blksize | Timeout | Tsize | Windowsize, Blksize: 1432, Timeout: 3, Tsize: 673312, Windowsize: 4}),
			"\x00\x06blksize\x001432\x00timeout\x003\x00tsize\x00673312\x00windowsize\x004\x00",
		},
	} {
		if string(tt.got) != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, tt.got, tt.want)
		}
	}
}

func TestParseReplies(t *testing.T) {
	if b, err := ParseACK([]byte("\x00\x04\xff\xfe")); b != 0xfffe || err != nil {
		t.Error("ACK", b, err)
	}
	if b, body, err := ParseDATA([]byte("\x00\x03\x00\x07xyz")); b != 7 || string(body) != "xyz" || err != nil {
		t.Error("DATA", b, body, err)
	}
	if c, text, err := ParseERROR([]byte("\x00\x05\x00\x08no\x00")); c != CodeOption || string(text) != "no" || err != nil {
		t.Error("ERROR", c, text, err)
	}
	if c, text, err := ParseERROR([]byte("\x00\x05\x00\x08no")); c != CodeOption || string(text) != "no" || err != ErrTextUnterminated {
		t.Error("ERROR without its NUL", c, text, err)
	}
	var o Options
	if err := ParseOACK([]byte("\x00\x06blksize\x001432\x00"), &o); err != nil || o != (Options{Has: Blksize, Blksize: 1432}) {
		t.Error("OACK", o, err)
	}
	for _, tt := range []struct {
		in  string
		err error
	}{
		{"", ErrShort},
		{"\x00\x05blksize\x00512\x00", ErrOpcode},
		{"\x00\x06blksize\x001\x00", ErrOptionValue},
		{"\x00\x06what\x001\x00", ErrOptionValue},
		{"\x00\x06blksize\x00512", ErrOptionValue},
		{"\x00\x06blksize\x00", ErrOptionValue},
		{"\x00\x06blksize", ErrOptionUnterminated},
		{"\x00\x06\x00512\x00", ErrOptionEmpty},
		{"\x00\x06tsize\x001\x00tsize\x001\x00", ErrOptionTwice},
	} {
		if err := ParseOACK([]byte(tt.in), &o); err != tt.err {
			t.Errorf("OACK %q: %v, want %v", tt.in, err, tt.err)
		}
	}
	for _, in := range []string{"", "\x00", "\x00\x04", "\x00\x04\x00", "\x00\x03\x00", "\x00\x05\x00"} {
		if _, err := ParseACK([]byte(in)); err != ErrShort {
			t.Errorf("ACK %q: %v", in, err)
		}
		if _, _, err := ParseDATA([]byte(in)); err != ErrShort {
			t.Errorf("DATA %q: %v", in, err)
		}
		if _, _, err := ParseERROR([]byte(in)); err != ErrShort {
			t.Errorf("ERROR %q: %v", in, err)
		}
	}
}

// A MAC address comes in many forms, also as dhcpd's binary-to-ascii (16, 8, ":", …) writes it, without leading zeros.
func TestHWAddr(t *testing.T) {
	for s, want := range map[string]string{
		"0:10:18:de:ad:1":          "001018dead01",
		"1:0:10:18:de:ad:1":        "001018dead01",
		"1,0:10:18:de:ad:1":        "001018dead01",
		"1:10:18:de:ad:1":          "011018dead01",
		"1:0a:01:02:03:04:05":      "0a0102030405",
		"1:0a0102030405":           "0a0102030405",
		"A-1-2-3-4-F":              "0a010203040f",
		"00:10:18:DE:AD:01":        "001018dead01",
		"\x0a\x01\x02\x03\x3a\x05": "0a0102033a05",
		"00:00:00:00:00:00":        "",
		"0:0:0:0:0:0":              "",
		"1,000000000000":           "",
		"\x00\x00\x00\x00\x00\x00": "",
		"0:10:18:de:ad":            "",
		"0:10:18:de:ad:":           "",
		":0:10:18:de:ad":           "",
		"0::10:18:de:ad":           "",
		"0:10:18:de:ad:1:2":        "",
		"0:10:18:de:ad:001":        "",
		"0:10-18:de-ad:1":          "",
		"2:0:10:18:de:ad:1":        "",
		"0.10.18.de.ad.1":          "",
		"g:10:18:de:ad:1":          "",
		"":                         "",
	} {
		var mac [6]byte
		got := ""
		if hwaddr([]byte(s), &mac) {
			got = fmt.Sprintf("%x", mac)
		}
		if got != want {
			t.Errorf("%q: %q, want %q", s, got, want)
		}
	}
}

func TestNetaddr(t *testing.T) {
	for _, s := range []string{
		"0.0.0.0", "255.255.255.255", "1.2.3.4", "01.2.3.4", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1..2.3", ".1.2.3", "1.2.3.", "", "a.b.c.d", "00.1.2.3",
		"::", "::1", "1::", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7::", "::2:3:4:5:6:7:8", "1::8", "1::2::3", ":1", "1:", ":::", "12345::",
		"::ffff:10.1.2.3", "64:ff9b::10.1.2.3", "1:2:3:4:5:6:7:10.1.2.3", "1:2:3:4:5:6:10.1.2.3", "::10.1.2.3", "::1.2.3", "::1.2.3.4:5", "FE80::A", "1:2:3:4:5:6:7:8::", "::g",
	} {
		checkNetaddr(t, s)
	}
}

func checkNetaddr(t *testing.T, s string) {
	t.Helper()
	var got netip.Addr
	ok := netaddr([]byte(s), &got)
	want, err := netip.ParseAddr(s)
	if err == nil && want.Zone() != "" {
		return
	}
	if ok != (err == nil) || ok && got != want.Unmap() {
		t.Errorf("%q: %v %v, netip says %v %v", s, got, ok, want, err)
	}
}

func FuzzNetaddr(f *testing.F) {
	for _, s := range []string{"1.2.3.4", "::1", "1:2:3:4:5:6:7:8", "::ffff:1.2.3.4"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if !strings.Contains(s, "%") {
			checkNetaddr(t, s)
		}
	})
}

// FuzzRequest checks that what was read, written again, reads the same.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x01foobar\x00octet\x00tsize\x000\x00blksize\x001432\x00"))
	f.Add([]byte("\x00\x01a\x00netascii\x00hwaddr\x001,0A-01-02-03-04-05\x00netaddr\x00::1\x00windowsize\x0016\x00timeout\x009\x00"))
	f.Add([]byte("\x00\x01a\x00octet\x00hwaddr\x000:1:2:3:4:5\x00hwaddr\x000:1:2:3:4:6\x00"))
	f.Add([]byte("\x00\x01a\x00binary\x00blksize\x001\x00blksize\x00512\x00\x00hwaddr"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var r, again Request
		if err := ParseRequest(b, &r); err != nil {
			return
		}
		if bytes.IndexByte(r.Name, 0) >= 0 || len(r.Name) == 0 || len(r.Name) > MaxName || r.Has&r.Bad != 0 {
			t.Fatalf("%+v", r)
		}
		mode := "octet"
		if r.NetASCII {
			mode = "netascii"
		}
		out := AppendRequest(nil, string(r.Name), mode, &r.Options)
		if len(out) > maxRequest {
			return
		}
		if err := ParseRequest(out, &again); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(r.Name, again.Name) || r.NetASCII != again.NetASCII || r.Options != again.Options {
			t.Fatalf("%+v\n%+v", r, again)
		}
	})
}

func TestNoAllocs(t *testing.T) {
	var r Request
	var o Options
	buf := make([]byte, 0, 2048)
	full := []byte("\x00\x01foobar\x00octet\x00tsize\x000\x00blksize\x001432\x00hwaddr\x000a:01:02:03:04:05\x00netaddr\x002001:db8::7\x00")
	bad := []byte("\x00\x01foobar\x00octet\x00netaddr\x00no such\x00blksize\x00x\x00")
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"request", func() { _ = ParseRequest(full, &r) }},
		{"bad values", func() { _ = ParseRequest(bad, &r) }},
		{"malformed", func() { _ = ParseRequest(full[:9], &r) }},
		{"options that end early", func() { _ = ParseRequest(bad[:len(bad)-1], &r) }},
		{"oack", func() { buf = AppendOACK(buf[:0], &r.Options); _ = ParseOACK(buf, &o) }},
		{"error", func() { buf = AppendERROR(buf[:0], CodeNotFound, "File not found") }},
	} {
		if n := testing.AllocsPerRun(1000, tt.f); n != 0 {
			t.Errorf("%s: %v allocations", tt.name, n)
		}
	}
}

func BenchmarkParseRequest(b *testing.B) {
	var r Request
	in := []byte("\x00\x01foobarisp1ip4bw2048.bin\x00octet\x00tsize\x000\x00blksize\x001432\x00")
	b.ReportAllocs()
	for b.Loop() {
		if err := ParseRequest(in, &r); err != nil {
			b.Fatal(err)
		}
	}
}
