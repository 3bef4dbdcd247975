package render

import (
	"bytes"
	"crypto/hmac"
	"crypto/md5"
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/skeleton"
)

// signed makes a modem's file by the standard library alone, of TLVs with lengths of one octet (MULPIv3.0 C.1.1.5, C.1.1.6).
func signed(body []byte, secret string) []byte {
	cm := md5.Sum(body)
	file := append(append(slices.Clone(body), 6, 16), cm[:]...)
	h := hmac.New(md5.New, []byte(secret))
	for _, code := range []byte{1, 2, 3, 4, 17, 43, 6, 18, 19, 20, 22, 23, 24, 25, 28, 29, 26, 35, 36, 37, 40} {
		for off := 0; off < len(file); off += 2 + int(file[off+1]) {
			if file[off] == code {
				h.Write(file[off : off+2+int(file[off+1])])
			}
		}
	}
	file = append(append(append(file, 7, 16), h.Sum(nil)...), 255)
	for len(file)%4 != 0 {
		file = append(file, 0)
	}
	return file
}

// signedMTA makes an MTA's file by the standard library alone (PKT-SP-PROV1.5, 9.1).
func signedMTA(object string) []byte {
	plain := unhex("fe0101" + object + "fe01ff")
	sum := sha1.Sum(plain)
	hash := append(unhex("0b283026060e2b06010401a30b020201010207000414"), sum[:]...)
	return slices.Insert(plain, len(plain)-3, hash...)
}

func unhex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// resigning returns an engine that serves a directory of files whose boot files are signed anew.
func resigning(t testing.TB, cfg library.Config, files map[string][]byte) *Engine {
	t.Helper()
	dir := t.TempDir()
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	here, there := mic.NewSecret([]byte("here")), mic.NewSecret([]byte("there"))
	ring, err := mic.NewKeyring(here, mic.Prefix{Addresses: netip.MustParsePrefix("10.9.0.0/16"), Secret: there})
	if err != nil {
		t.Fatal(err)
	}
	cfg.Static, cfg.Resign, cfg.MIB = []string{dir}, []string{dir}, mib.Default()
	e, err := NewEngine(Config{Library: cfg, Keyring: ring})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func get(e *Engine, name, from string) Request {
	r := []Request{{Requester: device.Requester{Name: []byte(name), Client: netip.MustParseAddr(from)}, Buf: make([]byte, 0, 2048)}}
	e.Worker().RenderBatch(now, r)
	return r[0]
}

// A boot file of a directory with resign has the MICs of the secret of whoever asks; all before them stays, and so do
// other files.
func TestResign(t *testing.T) {
	body := unhex("030101" + "120104" + "180a01020001060107080100" + "0b133011060c2b06010201451c0102010101020101")
	image := bytes.Repeat([]byte("\x7fELF"), 50_000)
	mta := signedMTA("0b133011060c2b06010201451c0102010101020101")
	unsigned := append(slices.Clone(body), 255)
	large := bytes.Repeat(unhex("0b133011060c2b06010201451c0102010101020101"), 6000)
	e := resigning(t, library.Config{}, map[string][]byte{
		"cm.bin": signed(body, "lost"), "mta.bin": mta, "fw.bin": image, "text": []byte("text\n"), "unsigned.bin": unsigned,
		"large.bin": signed(append(unhex("030101"), large...), "lost"), "ours.bin": signed(body, "here"),
	})
	for name, want := range map[string]map[string][]byte{
		"cm.bin": {"10.1.2.3": signed(body, "here"), "10.9.2.3": signed(body, "there"), "2001:db8::1": signed(body, "here")},
		"large.bin": {
			"10.1.2.3": signed(append(unhex("030101"), large...), "here"), "10.9.2.3": signed(append(unhex("030101"), large...), "there"),
		},
		"ours.bin": {"10.1.2.3": signed(body, "here")},
		"mta.bin":  {"10.1.2.3": mta, "10.9.2.3": mta}, "fw.bin": {"10.1.2.3": image}, "text": {"10.9.2.3": []byte("text\n")}, "unsigned.bin": {"10.1.2.3": unsigned},
	} {
		for from, file := range want {
			for range 2 {
				if r := get(e, name, from); r.Err != nil || !bytes.Equal(r.Body, file) {
					t.Errorf("%s for %s: %v, %d octets\n%.200x\n%.200x", name, from, r.Err, len(r.Body), r.Body, file)
				}
			}
		}
	}
	if n, asIs, first := e.Library().Resigned(); n != 4 || asIs != 3 || filepath.Base(first) != "fw.bin" {
		t.Errorf("%d signed anew, %d not, such as %s", n, asIs, first)
	}
	// New secrets are in force at once.
	e.SetKeyring(mic.KeyringOf(mic.NewSecret([]byte("new"))))
	if r := get(e, "cm.bin", "10.1.2.3"); !bytes.Equal(r.Body, signed(body, "new")) {
		t.Errorf("after a rotation: %v, %x", r.Err, r.Body)
	}
	x := e.Explain(now, Request{Requester: device.Requester{Name: []byte("cm.bin"), Client: netip.MustParseAddr("10.1.2.3")}})
	if !x.Resigned || filepath.Base(x.Static) != "cm.bin" || !bytes.Equal(x.Body, signed(body, "new")) {
		t.Errorf("explained: %+v", x)
	}
}

// The time and the modem's address are added as to any other modem's file, and to one that has them not.
func TestResignStamped(t *testing.T) {
	body := unhex("030101120104")
	e := resigning(t, library.Config{Timestamp: true, ModemAddress: true}, map[string][]byte{
		"cm": signed(body, "lost"), "stamped": signed(append(slices.Clone(body), unhex("1304000000011404c6336401")...), "lost"),
	})
	seconds := now/1e9 + 2208988800 // RFC 868
	stamp := unhex(fmt.Sprintf("1304%08x", uint32(seconds)))
	four := slices.Concat(body, stamp, unhex("14040a010203"))
	six := slices.Concat(body, stamp, unhex("3b1020010db8000000000000000000000001"))
	for from, want := range map[string][]byte{"10.1.2.3": four, "2001:db8::1": six} {
		if r := get(e, "cm", from); r.Err != nil || !bytes.Equal(r.Body, signed(want, "here")) {
			t.Errorf("for %s: %v, %x, want %x", from, r.Err, r.Body, signed(want, "here"))
		}
	}
	want := signed(slices.Concat(body, unhex("1304000000011404c6336401")), "here")
	if r := get(e, "stamped", "10.1.2.3"); !bytes.Equal(r.Body, want) {
		t.Errorf("one that has them: %v, %x", r.Err, r.Body)
	}
}

// A damaged file is not made to look whole, nor served as it is.
func TestResignDamaged(t *testing.T) {
	body := unhex("030101120104180a01020001060107080100")
	good := signed(body, "lost")
	at := func(i int, b byte) []byte { return slices.Replace(slices.Clone(good), i, i+1, b) }
	mta := signedMTA("0b133011060c2b06010201451c0102010101020101")
	mta[20]++
	noCM := slices.Delete(slices.Clone(good), len(body), len(body)+18)
	files := map[string][]byte{
		"a value": at(5, 5), "a length": at(4, 200), "the CM MIC": at(len(body)+4, good[len(body)+4]^1), "cut": good[:20], "within the MICs": good[:len(body)+30],
		"MTA": mta, "no CM MIC": noCM,
	}
	e := resigning(t, library.Config{}, files)
	for name := range files {
		r := get(e, name, "10.1.2.3")
		fault, ok := r.Err.(*skeleton.Fault)
		if !ok || fault.Reason != skeleton.Broken || r.Body != nil || filepath.Base(fault.Pos.File) != name {
			t.Errorf("%s: %v, %x", name, r.Err, r.Body)
		}
	}
	// All after the CM MIC is made anew, so it may lack.
	e = resigning(t, library.Config{}, map[string][]byte{"no CMTS MIC": append(slices.Clone(good[:len(body)+18]), 255), "no end": good[:len(body)+36]})
	for _, name := range []string{"no CMTS MIC", "no end"} {
		if r := get(e, name, "10.1.2.3"); !bytes.Equal(r.Body, signed(body, "here")) {
			t.Errorf("%s: %v, %x", name, r.Err, r.Body)
		}
	}
}

func TestResignNoAllocs(t *testing.T) {
	e := resigning(t, library.Config{Timestamp: true}, map[string][]byte{"cm": signed(unhex("030101120104"), "lost"), "bad": signed(unhex("030101120104"), "lost")[:20], "fw": []byte("text")})
	w := e.Worker()
	for _, name := range []string{"cm", "bad", "fw"} {
		batch := []Request{{Requester: device.Requester{Name: []byte(name), Client: netip.MustParseAddr("10.1.2.3")}, Buf: make([]byte, 0, 2048)}}
		w.RenderBatch(now, batch)
		if n := testing.AllocsPerRun(1000, func() { w.RenderBatch(now, batch) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
