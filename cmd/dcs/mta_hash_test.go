package main

import (
	"crypto/sha1"
	"encoding/hex"
	"strings"
	"testing"
)

// The hash that a file has been given by hand is told if it is not the file's: the SHA-1 over all but the hash object.
func TestWrittenHash(t *testing.T) {
	t.Chdir(t.TempDir())
	const enabled = "0b15" + "3013" + "060e" + "2b06010401a30b0202010101" + "0700" + "020101" // pktcMtaDevEnabled.0 true
	rest, err := hex.DecodeString("fe0101" + enabled + "fe01ff")
	if err != nil {
		t.Fatal(err)
	}
	sum := sha1.Sum(rest)
	right := hex.EncodeToString(sum[:])
	const object = "SnmpMibObject .1.3.6.1.4.1.4491.2.2.1.1.2.7.0 HexString 0x"
	for _, tt := range []struct{ name, file, src, says string }{
		{"right", "x.cfg", object + right + ";", ""},
		{"stale", "x.cfg", "\n" + object + strings.Repeat("ab", 20) + ";", "x.cfg:2:1: warning: the hash is not the file's, which is " + right + "; delete it, and dcs compile --mta-hash na or, in a .dcs file, hash na computes it"},
		{"short", "x.cfg", object + "abab;", "warning: the hash is not the file's, which is " + right},
		{"stale in a template", "x.dcs", object + strings.Repeat("ab", 20) + ";", "delete it, and hash na computes it"},
		{"stale beside hash", "x.dcs", "hash na; " + object + strings.Repeat("ab", 20) + ";", ""},
		{"of a file that differs", "x.dcs", "SnmpMibObject sysLocation.0 String $ip; " + object + strings.Repeat("ab", 20) + ";", "the hash is written, and the file differs with the request"},
		{"of another family", "x.dcs", "hash ietf;", "x.dcs:1:29: warning: hash ietf, but the file's objects are of the MIB modules of na"},
	} {
		write(t, tt.file, "Main { MtaConfigDelimiter 1;"+tt.src+" SnmpMibObject .1.3.6.1.4.1.4491.2.2.1.1.1.7.0 Integer 1; MtaConfigDelimiter 255; }")
		got := dcs("", "compile", tt.file, "--ip", "192.0.2.1")
		if got.status != done || !strings.Contains(got.stderr, tt.says) || tt.says == "" && got.stderr != "" {
			t.Errorf("%s: %d, %s\n%x", tt.name, got.status, got.stderr, got.stdout)
		}
	}
	write(t, "y.cfg", "Main { MtaConfigDelimiter 1; SnmpMibObject .1.3.6.1.2.1.140.1.1.6.0 Integer 1; MtaConfigDelimiter 255; }")
	for variant, says := range map[string]string{"na": "y.cfg: warning: hash na, but the file's objects are of the MIB modules of ietf", "ietf": "", "none": ""} {
		if got := dcs("", "compile", "y.cfg", "--mta-hash", variant); got.status != done || !strings.Contains(got.stderr, says) || says == "" && got.stderr != "" {
			t.Errorf("--mta-hash %s: %+v", variant, got)
		}
	}
}
