package mic

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"encoding/hex"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// mac is the oracle: HMAC-MD5 over the pieces.
func mac(key string, pieces ...[]byte) []byte {
	h := hmac.New(md5.New, []byte(key))
	for _, p := range pieces {
		h.Write(p)
	}
	return h.Sum(nil)
}

// cm is the oracle for TLV 6.
func cm(body []byte) []byte {
	sum := md5.Sum(body)
	return append([]byte{6, 16}, sum[:]...)
}

// golden holds files that an independent encoder made.
var golden = []struct{ name, key, body, want string }{
	{
		"network access", "DOCSIS", "030101",
		"0301010610a3ab4e9009b0f65a3ff916999853a25707108ece128abaee3a1faca93737c576bb7eff",
	},
}

func TestSign(t *testing.T) {
	for _, tt := range golden {
		got, err := Sign(unhex(t, tt.body), NewSecret([]byte(tt.key)))
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		} else if want := unhex(t, tt.want); !bytes.Equal(got, want) {
			t.Errorf("%s:\n got %x\nwant %x", tt.name, got, want)
		}
	}
}

// TestSignStaticMulticast: TLV 64 of a CM file has a length of one octet. Read as two, it would hide TLV 22 after it.
func TestSignStaticMulticast(t *testing.T) {
	session, class := unhex(t, "4003 000102"), unhex(t, "1603 010105")
	body := bytes.Join([][]byte{session, class}, nil)
	file, err := Sign(bytes.Clone(body), NewSecret([]byte("DOCSIS")))
	if err != nil {
		t.Fatal(err)
	}
	if want := mac("DOCSIS", cm(body), class); !bytes.Equal(file[30:46], want) {
		t.Errorf("TLV 7 = %x, want %x", file[30:46], want)
	}
}

// TestSignFlows: every instance of a type counts, not the last alone.
func TestSignFlows(t *testing.T) {
	file, err := Sign(unhex(t, "030101 1807 01020001 060107 1807 01020002 060107"), NewSecret([]byte("DOCSIS")))
	if err != nil {
		t.Fatal(err)
	}
	r, err := Verify(file, NewSecret([]byte("DOCSIS")))
	if err != nil || r.CMTS.Verdict != Valid {
		t.Fatalf("Verify: %+v, %v", r, err)
	}
	if got := hex.EncodeToString(r.CMTS.Found); got != "a4574082860ae593841a81b80d79ed35" {
		t.Errorf("TLV 7 = %s", got)
	}
}

func TestOrder(t *testing.T) {
	// One TLV of each type that counts and some that do not, in descending order of type; 24 twice. 103 has a
	// two-octet length whose first octet would mislead a walker that reads one.
	var body []byte
	for code := 102; code > 0; code-- {
		if code == 6 || code == 7 {
			continue
		}
		body = append(body, byte(code), 2, byte(code), 1)
		if code == 24 {
			body = append(body, 24, 3, 9, 9, 9)
		}
		if code == 50 {
			body = append(append(body, 103, 1, 4), make([]byte, 260)...)
			body = append(body, 104, 0, 1, 25)
		}
	}
	tlv6 := cm(body)
	var in []byte
	for _, code := range []byte{1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40} {
		if code == 6 {
			in = append(in, tlv6...)
			continue
		}
		in = append(in, code, 2, code, 1)
		if code == 24 {
			in = append(in, 24, 3, 9, 9, 9)
		}
	}
	for _, key := range []string{"", "DOCSIS", strings.Repeat("k", 64), strings.Repeat("k", 65), strings.Repeat("long", 60)} {
		want := append(append(append([]byte{}, body...), tlv6...), 7, 16)
		want = append(append(want, mac(key, in)...), 255)
		for len(want)%4 != 0 {
			want = append(want, 0)
		}
		s := NewSecret([]byte(key))
		got, err := Sign(bytes.Clone(body), s)
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("key of %d octets: %v\n got %x\nwant %x", len(key), err, got, want)
		}
		sum, err := s.CMTS(got)
		if err != nil || !bytes.Equal(sum[:], mac(key, in)) {
			t.Errorf("CMTS = %x, %v", sum, err)
		}
		inner := s.Inner().Sum(in)
		if got := s.Outer().Sum(inner[:]); !bytes.Equal(got[:], mac(key, in)) {
			t.Errorf("Inner and Outer give %x", got)
		}
	}
}

func TestSignInPlace(t *testing.T) {
	buf := append(make([]byte, 0, 64), 3, 1, 1)
	file, err := Sign(buf, NewSecret(nil))
	if err != nil || &file[0] != &buf[0] {
		t.Errorf("Sign left its buffer: %v", err)
	}
	if file, err = Sign(nil, NewSecret(nil)); err != nil || len(file) != 40 {
		t.Errorf("Sign(nil) = %x, %v", file, err)
	}
}

// flow is an upstream service flow.
const flow = "1807 01020001 060107"

func TestExtended(t *testing.T) {
	key := "DOCSIS"
	access, flow := unhex(t, "030101"), unhex(t, flow)
	time := unhex(t, "1304 e0000000")
	join := func(p ...[]byte) []byte { return bytes.Join(p, nil) }

	t.Run("implicit", func(t *testing.T) {
		// Bits 3, 6 and 24 (12 00 00 80): file order, not the old order, and 43 left out.
		general := unhex(t, "2b10 0803ffffff 0609 010101 0204 12000080")
		body := join(flow, general, time, access)
		tlv6 := cm(body)
		want := join(body, tlv6, []byte{7, 16}, mac(key, flow, access, tlv6), []byte{255})
		want = append(want, make([]byte, -len(want)&3)...)
		got, err := Sign(bytes.Clone(body), NewSecret([]byte(key)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n got %x\nwant %x", err, got, want)
		}
		r, err := Verify(got, NewSecret([]byte(key)))
		if err != nil || r.CM.Verdict != Valid || r.CMTS.Verdict != Valid || r.Extended.Verdict != Valid || len(r.Notes) != 0 {
			t.Errorf("Verify: %+v, %v", r, err)
		}
	})

	t.Run("explicit", func(t *testing.T) {
		// Bits 3, 19, 43: 43.6.3 counts as zeros; what stands there before is of no account.
		head := unhex(t, "2b24 0803ffffff 061d 010101 0206 100010000010 0310")
		blank := make([]byte, 16)
		digest := mac(key, access, head, blank, time)
		signed := join(access, flow, head, digest, time)
		tlv6 := cm(signed)
		// The old MIC: 3, 43, 6, 19, 24.
		want := join(signed, tlv6, []byte{7, 16}, mac(key, access, head, digest, tlv6, time, flow), []byte{255})
		want = append(want, make([]byte, -len(want)&3)...)
		for _, old := range [][]byte{blank, bytes.Repeat([]byte{0x5a}, 16)} {
			got, err := Sign(join(access, flow, head, old, time), NewSecret([]byte(key)))
			if err != nil || !bytes.Equal(got, want) {
				t.Fatalf("%v\n got %x\nwant %x", err, got, want)
			}
		}
		r, err := Verify(want, NewSecret([]byte(key)))
		if err != nil || r.CM.Verdict != Valid || r.CMTS.Verdict != Valid || r.Extended.Verdict != Valid || !bytes.Equal(r.Extended.Found, digest) {
			t.Errorf("Verify: %+v, %v", r, err)
		}
		r, err = Verify(want, NewSecret([]byte("another")))
		if err != nil || r.CM.Verdict != Valid || r.CMTS.Verdict != Invalid || r.Extended.Verdict != Invalid {
			t.Errorf("Verify with another secret: %+v, %v", r, err)
		}
	})

	t.Run("of another length", func(t *testing.T) {
		// A 43.6.3 without room for the digest stays, and TLV 7 is the old MIC: 3, 43, 6.
		general := unhex(t, "2b11 0803ffffff 060a 010101 020110 0302beef")
		body := join(general, access)
		tlv6 := cm(body)
		want := join(body, tlv6, []byte{7, 16}, mac(key, access, general, tlv6), []byte{255})
		want = append(want, make([]byte, -len(want)&3)...)
		got, err := Sign(bytes.Clone(body), NewSecret([]byte(key)))
		if err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%v\n got %x\nwant %x", err, got, want)
		}
		r, err := Verify(got, NewSecret([]byte(key)))
		if err != nil || r.CMTS.Verdict != Valid || r.Extended.Verdict != Unchecked || r.Extended.Note == "" {
			t.Errorf("Verify: %+v, %v", r, err)
		}
	})

	t.Run("of another vendor", func(t *testing.T) {
		// 6 in a TLV 43 of vendor 00000c is the vendor's own.
		body := join(access, unhex(t, "2b0c 080300000c 0605 0102030405"))
		if ok, err := HasExtended(body); ok || err != nil {
			t.Errorf("HasExtended = %v, %v", ok, err)
		}
	})
}

func TestSignErrors(t *testing.T) {
	general := "0803ffffff"
	for _, tt := range []struct{ name, body, want string }{
		{"no length", "030101 12", "TLV 18 at offset 3 has no length"},
		{"truncated", "030101 1204 0000", "TLV 18 at offset 3 needs 4 octets of value, 2 are left"},
		{"truncated, two-octet length", "6701ff 00", "TLV 103 at offset 0 needs 511 octets of value, 1 are left"},
		{"no second length octet", "6700", "TLV 103 at offset 0 has no length"},
		{"CM MIC there", "030101 0610 00000000000000000000000000000000", "already signed: TLV 6 at offset 3"},
		{"CMTS MIC there", "0710 00000000000000000000000000000000", "already signed: TLV 7 at offset 0"},
		{"ended", "030101 ff", "already ended: TLV 255 at offset 3"},
		{"MTA", "fe0101 fe01ff", "an MTA file has no"},
		{"MMH16", "2b0d" + general + "0606 010102 020110", "MMH16-sigma-n (43.6.1 = 2) is not supported"},
		{"vendor", "2b0d" + general + "0606 01012b 020110", "vendor's algorithm (43.6.1 = 43) is not supported"},
		{"unknown", "2b0d" + general + "0606 010103 020110", "unknown algorithm 3 in 43.6.1"},
		{"no algorithm", "2b0a" + general + "0603 020110", "43.6 at offset 7 names no algorithm"},
		{"no bitmap", "2b0a" + general + "0603 010101", "43.6 at offset 7 has no bitmap"},
		{"two", "2b0d" + general + "0606 010101 020110 2b0d" + general + "0606 010101 020110", "a second extended CMTS MIC configuration (43.6) at offset 22"},
		{"two in one", "2b15" + general + "0606 010101 020110 0606 010101 020110", "a second extended CMTS MIC configuration (43.6) at offset 15"},
		{"two algorithms", "2b10" + general + "0609 010101 010101 020110", "a second 43.6.1 at offset 12"},
		{"over-long in 43", "2b08" + general + "060601", "needs 6 octets of value, 1 are left, in TLV 43"},
		{"over-long in 43.6", "2b0a" + general + "0603 010401", "needs 4 octets of value, 1 are left, in 43.6"},
		{"covers itself", "2b0d" + general + "0606 010101 020111", "bitmap has bit 7 set"},
		{"covers what covers it", "2b1f" + general + "0618 010101 020112 0310 00000000000000000000000000000000", "bitmap has bit 6 set"},
	} {
		body := unhex(t, tt.body)
		got, err := Sign(bytes.Clone(body), NewSecret(nil))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one about %q", tt.name, err, tt.want)
		}
		if !bytes.Equal(got, body) {
			t.Errorf("%s: Sign returned %x with its error", tt.name, got)
		}
	}
	if _, err := Sign([]byte{3, 1, 1}, nil); err == nil {
		t.Error("signed without a secret")
	}
}

func TestWalk(t *testing.T) {
	type tlv struct {
		off, hdr, end int
		code          uint8
	}
	var got []tlv
	err := Walk(unhex(t, "030101 00 6700020102 4001aa ff 99"), func(off, hdr, end int, code uint8) bool {
		got = append(got, tlv{off, hdr, end, code})
		return true
	})
	want := []tlv{{0, 2, 3, 3}, {3, 1, 4, 0}, {4, 3, 9, 103}, {9, 2, 12, 64}}
	if err != nil || len(got) != len(want) {
		t.Fatalf("Walk: %v, %v; want %v", got, err, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("TLV %d: %v, want %v", i, got[i], want[i])
		}
	}
	n := 0
	if err := Walk([]byte{3, 1, 1, 4}, func(int, int, int, uint8) bool { n++; return false }); err != nil || n != 1 {
		t.Errorf("stopped Walk: %d calls, %v", n, err)
	}
	if err := Walk([]byte{3, 1, 1, 4}, func(int, int, int, uint8) bool { return true }); err == nil {
		t.Error("no error for a TLV without a length")
	}
}

// resign signs a file anew, as templates made from a binary file do.
func resign(file []byte, s *Secret) ([]byte, error) {
	body, variant, err := Body(file)
	if err != nil {
		return nil, err
	}
	if len(file) > 0 && file[0] == typeDelimiter {
		return SignMTA(body, variant)
	}
	return Sign(body, s)
}

func TestResign(t *testing.T) {
	want := unhex(t, golden[0].want)
	s := NewSecret([]byte("DOCSIS"))
	other, err := Sign([]byte{3, 1, 1}, NewSecret([]byte("other")))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		file []byte
	}{
		{"signed", want},
		{"signed with another secret", other},
		{"never signed", []byte{3, 1, 1}},
		{"ended only", []byte{3, 1, 1, 255, 0, 0, 0, 0}},
		{"padded without an end", append(bytes.Clone(want[:39]), 0)},
	} {
		before := bytes.Clone(tt.file)
		got, err := resign(tt.file, s)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %x, %v; want %x", tt.name, got, err, want)
		}
		if !bytes.Equal(tt.file, before) {
			t.Errorf("%s: resign changed its input", tt.name)
		}
	}
	if _, err := resign([]byte{3, 9}, s); err == nil {
		t.Error("no error for a truncated file")
	}
}

func TestNoAllocs(t *testing.T) {
	s := NewSecret([]byte("DOCSIS"))
	plain := append(make([]byte, 0, 512), unhex(t, "030101"+flow+"13040000000014040a000001"+flow)...)
	ext := append(make([]byte, 0, 512), unhex(t, "030101"+flow+"2b1f 0803ffffff 0618 010101 020110 0310 00000000000000000000000000000000")...)
	file, err := Sign(bytes.Clone(plain), s)
	if err != nil {
		t.Fatal(err)
	}
	mta, buf := unhex(t, mtaBody), make([]byte, 512)
	for _, tt := range []struct {
		name string
		f    func()
	}{
		{"Sign", func() { _, _ = Sign(plain, s) }},
		{"Sign, extended", func() { _, _ = Sign(ext, s) }},
		{"CM", func() { CM(plain) }},
		{"CMTS", func() { _, _ = s.CMTS(file) }},
		{"SignMTA", func() { _, _ = SignMTA(append(buf[:0], mta...), NA) }},
		{"HasExtended", func() { _, _ = HasExtended(ext) }},
	} {
		if n := testing.AllocsPerRun(1000, tt.f); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
}

// FuzzSign: whatever Sign accepts verifies, and signing it anew changes nothing.
func FuzzSign(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.body), []byte(tt.key))
	}
	f.Add(unhex(f, "030101 2b1f 0803ffffff 0618 010101 020110 0310 00000000000000000000000000000000"), []byte{})
	f.Add(unhex(f, "2b10 0803ffffff 0609 010101 0204 12000080"+flow), []byte("k"))
	f.Add(unhex(f, "00 fe0101"), []byte{})
	f.Fuzz(func(t *testing.T, body, key []byte) {
		s := NewSecret(key)
		file, err := Sign(bytes.Clone(body), s)
		if err != nil {
			return
		}
		if len(file)%4 != 0 {
			t.Fatalf("%d octets", len(file))
		}
		r, err := Verify(file, s)
		if err != nil || r.CM.Verdict != Valid || r.CMTS.Verdict != Valid || r.Extended.Verdict == Invalid {
			t.Fatalf("Verify: %+v, %v\n%x", r, err, file)
		}
		again, err := resign(file, s)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(body, 0) < 0 && !bytes.Equal(again, file) { // a pad among the TLVs goes away
			t.Fatalf("signed anew:\n%x\n%x", again, file)
		}
	})
}

// FuzzVerify: no file makes it panic.
func FuzzVerify(f *testing.F) {
	for _, tt := range golden {
		f.Add(unhex(f, tt.want))
	}
	f.Add(unhex(f, mtaBody))
	f.Add(unhex(f, "fe0101 0b1e 301c 060e 2b06010401a30b02020101020700 0410 00000000000000000000000000000000 fe01ff"))
	s := NewSecret([]byte("DOCSIS"))
	f.Fuzz(func(t *testing.T, file []byte) {
		_, err := Verify(file, s)
		if _, err2 := Verify(file, nil); (err == nil) != (err2 == nil) {
			t.Fatalf("with a secret: %v, without: %v", err, err2)
		}
		_, _ = resign(file, s)
		_, _ = SignMTA(bytes.Clone(file), EU)
	})
}

func BenchmarkSign(b *testing.B) {
	s := NewSecret([]byte("DOCSIS"))
	body := append(make([]byte, 0, 1024), 3, 1, 1)
	for len(body) < 360 {
		body = append(body, unhex(b, flow)...)
	}
	for b.Loop() {
		if _, err := Sign(body, s); err != nil {
			b.Fatal(err)
		}
	}
}
