package library

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/cvc"
)

// der returns an element of at most 255 octets.
func der(tag byte, parts ...string) string {
	body := strings.Join(parts, "")
	if len(body) < 128 {
		return string([]byte{tag, byte(len(body))}) + body
	}
	return string([]byte{tag, 0x81, byte(len(body))}) + body
}

// signedHead is the head of a firmware image with the certificate of its signer (RFC 2315, section 9; RFC 5280, section 4.1), without keys.
func signedHead(serial byte) (head, cert string) {
	number, empty := "\x02\x01"+string([]byte{serial}), "\x30\x00"
	name := der(0x30, der(0x31, der(0x30, "\x06\x03\x55\x04\x03", "\x0c\x05maker")))
	cert = der(0x30, der(0x30, number, empty, name, empty, name, empty))
	signed := der(0x30, "\x02\x01\x01", "\x31\x00", empty, der(0xa0, cert), der(0x31, der(0x30, "\x02\x01\x01", der(0x30, name, number))))
	return der(0x30, "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x07\x02", der(0xa0, signed)), cert
}

// Of a firmware image, however large, a library keeps no more than the head, and reads it again when it has changed.
func TestFirmware(t *testing.T) {
	head, cert := signedHead(1)
	dir := tree(t, map[string]string{"lib/a.dcs": `Main { NetworkAccess 1; ManufacturerCVC from firmware "fw.image"; }`, "lib/fw.image": head})
	image := filepath.Join(dir, "lib", "fw.image")
	if err := os.Truncate(image, MaxFile+1); err != nil {
		t.Fatal(err)
	}
	cfg := Config{Dirs: []string{filepath.Join(dir, "lib")}, MIB: mib.Default()}
	served := func(s *Snapshot, want string) {
		t.Helper()
		l := find(s, "a.cm")
		sk, fault := s.Skeleton(l, nil, false)
		if fault != nil {
			t.Fatal(fault)
		}
		if file := renderedBy(t, s, l, sk, nil); !strings.Contains(string(file), want) {
			t.Errorf("%x has no certificate %x", file, want)
		}
		kept := 0
		for _, data := range s.loader.assets {
			kept += cap(data)
		}
		if kept == 0 || kept > cvc.MaxHead+16384 {
			t.Errorf("%d octets are kept", kept)
		}
	}
	s, err := Load(cfg, nil)
	if err != nil {
		t.Fatal(err)
	}
	served(s, cert)
	one, err := LoadFile(Config{MIB: mib.Default()}, filepath.Join(dir, "lib", "a.dcs"), nil)
	if err != nil {
		t.Fatal(err)
	}
	served(one, cert)
	head, cert = signedHead(2)
	if err := os.WriteFile(image, []byte(head), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, err = Load(cfg, s); err != nil {
		t.Fatal(err)
	}
	served(s, cert)
}
