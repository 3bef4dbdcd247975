package mic

import (
	"bytes"
	"crypto/sha1"
	"strings"
	"testing"
)

// mtaBody is an MTA file without a hash: an object, and one with a two-octet length (TLV 64).
const mtaBody = "fe0101 0b0f 300d 0608 2b06010401a30b01 020102 40000c 300a 0605 2b06010101 040101 fe01ff"

// heads holds, by variant, the hash object up to the hash, encoded by hand: TLV 11, SEQUENCE, OBJECT IDENTIFIER, OCTET
// STRING of 20 octets. 4491 is 35*128+11, 7432 is 58*128+8, 140 is 128+12.
var heads = []string{
	NA:   "0b28 3026 060e 2b06010401a30b02020101020700 0414",
	EU:   "0b26 3024 060c 2b06010401ba080101020900 0414",
	IETF: "0b25 3023 060b 2b06010201810c01020b00 0414",
}

func TestSignMTA(t *testing.T) {
	body := unhex(t, mtaBody)
	sum := sha1.Sum(body)
	for v := NA; v <= IETF; v++ {
		want := bytes.Join([][]byte{body[:len(body)-3], unhex(t, heads[v]), sum[:], {0xfe, 1, 0xff}}, nil)
		got, err := SignMTA(bytes.Clone(body), v)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%v: %v\n got %x\nwant %x", v, err, got, want)
			continue
		}
		r, err := Verify(got, nil)
		if err != nil || r.MTA.Verdict != Valid || r.MTAVariant != v || r.MTA.Note != "" || !r.OK() {
			t.Errorf("%v: Verify: %+v, %v", v, r, err)
		}
		for w := NoHash; w <= IETF; w++ { // an old hash is replaced
			want := body
			if w != NoHash {
				want = bytes.Join([][]byte{body[:len(body)-3], unhex(t, heads[w]), sum[:], {0xfe, 1, 0xff}}, nil)
			}
			if again, err := SignMTA(bytes.Clone(got), w); err != nil || !bytes.Equal(again, want) {
				t.Errorf("%v after %v: %v\n got %x\nwant %x", w, v, err, again, want)
			}
		}
		got[10]++
		if r, err = Verify(got, nil); err != nil || r.MTA.Verdict != Invalid || r.OK() {
			t.Errorf("%v: Verify of a changed file: %+v, %v", v, r, err)
		}
		if anew, err := resign(got, nil); err != nil {
			t.Errorf("%v: resign: %v", v, err)
		} else if r, err = Verify(anew, nil); err != nil || r.MTA.Verdict != Valid || r.MTAVariant != v {
			t.Errorf("%v: Verify after resign: %+v, %v", v, r, err)
		}
	}
}

// TestMTAElsewhere: a hash object that is not the last TLV, with long lengths, is found, checked and told.
func TestMTAElsewhere(t *testing.T) {
	body := unhex(t, mtaBody)
	sum := sha1.Sum(body)
	object := append(unhex(t, "40002e 3082002a 060e 2b06010401a30b02020101020700 04820014"), sum[:]...)
	object[2], object[6] = byte(len(object)-3), byte(len(object)-7)
	file := bytes.Join([][]byte{body[:3], object, body[3:]}, nil)
	r, err := Verify(file, nil)
	if err != nil || r.MTA.Verdict != Valid || r.MTAVariant != NA || !strings.Contains(r.MTA.Note, "offset 3") {
		t.Errorf("Verify: %+v, %v", r, err)
	}
	if got, err := SignMTA(file, NoHash); err != nil || !bytes.Equal(got, body) {
		t.Errorf("SignMTA with NoHash: %x, %v", got, err)
	}
}

func TestSignMTAErrors(t *testing.T) {
	object := heads[NA] + strings.Repeat("00", 20)
	for _, tt := range []struct {
		name, file string
		v          Variant
		want       string
	}{
		{"CM file", golden[0].want, NA, "does not begin with fe 01 01"},
		{"empty", "", NA, "does not begin with fe 01 01"},
		{"no closing delimiter", "fe0101 0b0f 300d 0608 2b06010401a30b01 020102", NA, "lacks its closing delimiter"},
		{"octets after the delimiter", "fe0101 fe01ff 00 00", NA, "lacks its closing delimiter"},
		{"truncated", "fe0101 0b0f 300d fe01ff", NA, "TLV 11 at offset 3 needs 15 octets"},
		{"no second length octet", "fe0101 4000", NA, "TLV 64 at offset 3 has no length"},
		{"two hashes", "fe0101" + object + object + "fe01ff", NA, "a second hash object at offset 45, the first is at 3"},
		{"unknown variant", "fe0101 fe01ff", 9, "Variant(9)"},
	} {
		if _, err := SignMTA(unhex(t, tt.file), tt.v); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: error %v, want one about %q", tt.name, err, tt.want)
		}
	}
	if _, variant, err := Body(unhex(t, mtaBody)); err != nil || variant != NoHash {
		t.Errorf("Body of a file without a hash: %v, %v", variant, err)
	}
}

func TestVariant(t *testing.T) {
	for v, name := range []string{"none", "na", "eu", "ietf"} {
		if got, err := ParseVariant(name); err != nil || got != Variant(v) || got.String() != name {
			t.Errorf("ParseVariant(%q) = %v, %v", name, got, err)
		}
	}
	if _, err := ParseVariant("us"); err == nil {
		t.Error("ParseVariant(us) is no error")
	}
}

func TestCableHomeHash(t *testing.T) {
	// FIPS 180-2, appendix A.1.
	got := CableHomeHash([]byte("abc"))
	if want := unhex(t, "a9993e364706816aba3e25717850c26c9cd0d89d"); !bytes.Equal(got[:], want) {
		t.Errorf("got %x, want %x", got, want)
	}
}
