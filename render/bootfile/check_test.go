package bootfile

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"image"
	"image/color"
	"image/gif"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/render/mic"
	"dcs/render/plaintext"
)

func octets(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// order is that of the CMTS MIC (MULPIv3.0 C.1.1.6), not taken from the package that makes it.
var order = []byte{1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40}

// sign makes a modem's file of TLVs with lengths of one octet, by the standard library.
func sign(body []byte, secret string) []byte {
	cm := md5.Sum(body)
	file := append(slices.Clone(body), 6, 16)
	file = append(file, cm[:]...)
	h := hmac.New(md5.New, []byte(secret))
	for _, code := range order {
		for off := 0; off < len(file); off += 2 + int(file[off+1]) {
			if file[off] == code {
				h.Write(file[off : off+2+int(file[off+1])])
			}
		}
	}
	file = append(append(file, 7, 16), h.Sum(nil)...)
	file = append(file, 255)
	for len(file)%4 != 0 {
		file = append(file, 0)
	}
	return file
}

// bodies are modems' files without their MICs, as different in their beginnings as files in use are.
func bodies(t testing.TB) map[string][]byte {
	return map[string][]byte{
		"network access first": octets(t, "030101 120104 18 0a 01020001 06 01 07 08 01 00"),
		"flow first":           octets(t, "18 11 01020001 060107 08 04 000f4240 0902 1000 190a 01020002 060107 070101 030101"),
		"class first":          octets(t, "04 09 010101 0204 000fa000 030101"),
		"frequency first":      octets(t, "01 04 23c34600 02 01 05 030101"),
		"object first":         octets(t, "0b 13 3011 060c 2b06010201451c0102010101 0201 01 030101"),
		"vendor first":         octets(t, "2b 08 0803001018 010107 030101 120101"),
		"name first":           octets(t, "09 0a 66772d312e322e62696e 030101 120101"),
		"all kinds":            octets(t, "030100 1c020008 1d0101 2401ff 18 07 01020001 060107 19 07 01020002 060107 2b 08 0803ffffff 080100"),
	}
}

// mta makes an MTA's file by the standard library; its hash is of PacketCable.
func mta(t testing.TB, objects string) []byte {
	plain := octets(t, "fe0101"+objects+"fe01ff")
	sum := sha1.Sum(plain)
	hash := octets(t, "0b28 3026 060e 2b06010401a30b02020101020700 0414")
	file := slices.Clone(plain[:len(plain)-3])
	file = append(append(file, hash...), sum[:]...)
	return append(file, 0xfe, 1, 0xff)
}

func portal(t testing.TB) []byte {
	return octets(t, "1c 0013 3011 060c 2b06010201451c0102010101 0201 01 1c 0013 3011 060c 2b06010201451c0102010102 0201 02 ff")
}

func secrets(keys ...string) (out []*mic.Secret) {
	for _, k := range keys {
		out = append(out, mic.NewSecret([]byte(k)))
	}
	return out
}

func TestSound(t *testing.T) {
	c := Checker{Secrets: secrets("new", "old", "third")}
	for name, body := range bodies(t) {
		for i, secret := range []string{"old", "third", "new", "new"} {
			got := c.Check(sign(body, secret))
			want := Report{Kind: Modem, Keyed: true, Secret: []int{1, 2, 0, 0}[i]}
			if got != want {
				t.Errorf("%s under %s: %+v", name, secret, got)
			}
		}
		if got := (&Checker{}).Check(sign(body, "any")); got != (Report{Kind: Modem, Keyed: true, Secret: -1}) {
			t.Errorf("%s without a secret: %+v", name, got)
		}
	}
	for name, tt := range map[string]struct {
		file []byte
		kind Kind
	}{
		"MTA":                {mta(t, "0b 13 3011 060c 2b06010201451c0102010101 0201 01"), MTA},
		"MTA without a hash": {octets(t, "fe0101 0b 13 3011 060c 2b06010201451c0102010101 0201 01 fe01ff"), MTA},
		"MTA of nothing":     {octets(t, "fe0101 fe01ff"), MTA},
		"portal":             {portal(t), Portal},
		"portal with zeros":  {append(portal(t), 0, 0), Portal},
	} {
		if got := c.Check(tt.file); got != (Report{Kind: tt.kind, Secret: -1}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// What a modem's file can have wrong but for what is cut or changed in it.
func TestWrong(t *testing.T) {
	body := bodies(t)["network access first"]
	good := sign(body, "new")
	end := bytes.LastIndexByte(good, 255)
	at := func(off int, b ...byte) []byte { return slices.Replace(slices.Clone(good), off, off+len(b), b...) }
	cm := bytes.Index(good, []byte{6, 16})
	for name, tt := range map[string]struct {
		file []byte
		want Fault
	}{
		"empty":                 {nil, Empty},
		"zeros":                 {make([]byte, 4096), Empty},
		"another secret's":      {sign(body, "another"), CMTSMIC},
		"the empty secret's":    {sign(body, ""), CMTSMIC},
		"a value changed":       {at(2, 0), CMMIC},
		"the CM MIC changed":    {at(cm+2, good[cm+2]^1), CMMIC},
		"the CMTS MIC changed":  {at(cm+20, good[cm+20]^1), CMTSMIC},
		"never signed":          {append(slices.Clone(body), 255), NoMIC},
		"the CMTS MIC alone":    {slices.Delete(slices.Clone(good), cm, cm+18), NoMIC},
		"the CM MIC alone":      {append(slices.Clone(good[:cm+18]), 255), NoMIC},
		"no end":                {good[:end], NoMIC},
		"more behind the end":   {append(slices.Clone(good[:end+1]), 3, 1, 1), NoMIC},
		"twice":                 {append(slices.Clone(good[:end]), good...), Cut},
		"text behind the MICs":  {append(slices.Clone(good[:end]), "more"...), Cut},
		"a length changed":      {at(1, 200), Cut},
		"zeros from the middle": {append(slices.Clone(good[:9]), make([]byte, 300)...), NoMIC},
		"a few octets":          {[]byte{24, 43, 1}, Cut},
		"MTA, a value changed":  {bytes.Replace(mta(t, "0b 13 3011 060c 2b06010201451c0102010101 0201 01"), []byte{2, 1, 1}, []byte{2, 1, 2}, 1), MTAHash},
		"MTA, no beginning":     {mta(t, "0b 13 3011 060c 2b06010201451c0102010101 0201 01")[3:], NoMIC},
	} {
		c := Checker{Secrets: secrets("new", "old")}
		got := c.Check(tt.file)
		if got.Fault != tt.want || got.Text == "" {
			t.Errorf("%s: %+v, want %v", name, got, tt.want)
		}
		if name == "another secret's" && got.Text != "the CMTS MIC (7) is valid under none of the server's secrets" {
			t.Error(got.Text)
		}
	}
}

// An extended CMTS MIC is checked too, with TLV 7 beside it or as TLV 7 itself.
func TestExtended(t *testing.T) {
	// Bitmap: bits 3 and 43. 43.6.3 counts as zeros.
	bitmap := "0206 100000000010"
	head := "030101 2b%s 0803ffffff 06%s 010101" + bitmap
	body := octets(t, strings.NewReplacer("2b%s", "2b22", "06%s", "061b").Replace(head)+"0310"+strings.Repeat("00", 16))
	body[4], body[11] = byte(len(body)-5), byte(len(body)-12)
	sum := func(secret string) []byte {
		h := hmac.New(md5.New, []byte(secret))
		h.Write(body)
		return h.Sum(nil)
	}
	for secret, want := range map[string]Fault{"new": Sound, "other": CMTSMIC} {
		file := slices.Clone(body)
		copy(file[len(file)-16:], sum(secret))
		c := Checker{Secrets: secrets("new")}
		if got := c.Check(sign(file, "new")); got.Fault != want || want != Sound && got.Text != "the extended CMTS MIC (43.6.3) is valid under none of the server's secrets" {
			t.Errorf("explicit, under %s: %+v", secret, got)
		}
	}
}

// Whatever is cut off a file, or changed in it, it is not passed.
func TestDamaged(t *testing.T) {
	files := map[string][]byte{"MTA": mta(t, "0b 13 3011 060c 2b06010201451c0102010101 0201 01"), "portal": portal(t)}
	for name, body := range bodies(t) {
		files[name] = sign(body, "new")
	}
	for name, data := range corpus(t, ".cm") {
		files[name] = data
	}
	c := Checker{Secrets: secrets("new", "DOCSIS", "")}
	for name, file := range files {
		whole := bytes.LastIndexByte(file, 255) + 1
		if whole == 0 {
			whole = len(file)
		}
		for n := range whole {
			if got := c.Check(file[:n]); got.Fault == Sound && (n == 0 || !plaintext.Is(file[:n])) { // TLV 9 and its name, for one, are text
				t.Errorf("%s, %d of %d octets: %+v", name, n, len(file), got)
			}
			if name == "portal" || KindOf(file) == MTA && !bytes.Contains(file, octets(t, "a30b02020101020700")) {
				continue // there is no hash in it to find a change by
			}
			for _, flip := range []byte{1, 0x80, 0xff} {
				damaged := slices.Clone(file)
				damaged[n] ^= flip
				if got := c.Check(damaged); got.Fault == Sound {
					t.Errorf("%s, octet %d changed by %x: %+v", name, n, flip, got)
				}
			}
		}
	}
}

// corpus returns files with this ending of the open encoder's tests, where they are.
func corpus(t *testing.T, ending string) map[string][]byte {
	t.Helper()
	out := map[string][]byte{}
	dir := os.Getenv("DCS_CORPUS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "shared", "corpus", "docsis")
	}
	paths, _ := filepath.Glob(filepath.Join(dir, "*"+ending)) // the pattern is well formed
	for _, p := range paths {
		data, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(p)] = data
	}
	return out
}

// What is no boot file raises no alarm.
func TestOther(t *testing.T) {
	var zipped, gzipped, picture, animated bytes.Buffer
	z := gzip.NewWriter(&gzipped)
	_, _ = z.Write(bytes.Repeat([]byte("firmware"), 999))
	z.Close()
	archive := zip.NewWriter(&zipped)
	w, _ := archive.Create("fw.bin")
	_, _ = w.Write(gzipped.Bytes())
	archive.Close()
	canvas := image.NewPaletted(image.Rect(0, 0, 9, 9), color.Palette{color.Black, color.White})
	_ = png.Encode(&picture, canvas)
	_ = gif.Encode(&animated, canvas, nil)
	self, err := os.Open(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	defer self.Close()
	program := make([]byte, 900_000)
	if _, err := self.ReadAt(program, 0); err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{
		"text": []byte("hello\n"), "one letter": []byte("x"), "a line end": []byte("\n"), "UTF-8": []byte("Größe\r\n"),
		"a router's": []byte("hostname r1\nbanner motd \x03\nWelcome\n\x03\n" + strings.Repeat("interface Ethernet0\n", 20)),
		"UTF-16":     append([]byte{0xff, 0xfe}, bytes.Repeat([]byte("t\x00e\x00x\x00t\x00\n\x00"), 30)...),
		"zip":        zipped.Bytes(), "gzip": gzipped.Bytes(), "PNG": picture.Bytes(), "GIF": animated.Bytes(), "program": program,
		"signed image": append(octets(t, "3082 1000 0609 2a864886f70d010702 a082"), make([]byte, 2000)...),
		"flash":        append(bytes.Repeat([]byte{0xff}, 5000), gzipped.Bytes()...),
		"large zeros":  make([]byte, MaxSize+1),
		"source":       []byte("Main {\n  NetworkAccess 1;\n}\n"),
	}
	for name, data := range corpus(t, ".txt") {
		files[name] = data
	}
	for name, data := range corpus(t, ".p7b") {
		files[name] = data
	}
	c := Checker{Secrets: secrets("new")}
	for name, file := range files {
		if got := c.Check(file); got != (Report{Secret: -1}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	file := make([]byte, 300)
	for range 100_000 {
		for i := range file {
			file[i] = byte(random.Uint32())
		}
		if got := c.Check(file); got.Kind != Other || got.Fault != Sound {
			t.Fatalf("%x: %+v", file, got)
		}
	}
}

func FuzzCheck(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(sign(body, "new"))
	}
	f.Add(portal(f))
	f.Add(mta(f, ""))
	f.Fuzz(func(t *testing.T, file []byte) {
		c := Checker{Secrets: secrets("new", "old")}
		r := c.Check(file)
		if (r.Fault == Sound) != (r.Text == "") || r.Fault == Sound && r.Kind == Modem && r.Secret < 0 && !bytes.Contains(file, []byte{43}) {
			t.Errorf("%+v", r)
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	file := sign(append(bodies(b)["all kinds"], bytes.Repeat(octets(b, "0b 13 3011 060c 2b06010201451c0102010101 0201 01"), 20)...), "new")
	c := Checker{Secrets: secrets("new")}
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		c.Check(file)
	}
}
