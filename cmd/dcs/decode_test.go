package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dcs/render/ber/mib"
	"dcs/render/library"
)

func TestDecode(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "secret", "DOCSIS\n")
	write(t, "wrong", "docsis\n")
	file, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	write(t, "a.cm", string(file))
	bad := []byte(string(file))
	bad[2] = 0 // NetworkAccess 0
	write(t, "b.cm", string(bad))
	write(t, "a.cfg", "Main {\r\n\tNetworkAccess 1;\r\n}\r\n")
	write(t, "a.json", " {}\n")
	write(t, "empty", "")
	write(t, "snmp.cm", dcs("Main { SnmpMibObject docsDevNmAccessStatus.1 Integer createAndGo; }", "compile", "-").stdout)
	tests := []struct {
		name   string
		args   []string
		status int
		stdout []string
		stderr string
	}{
		{"without a secret", []string{"a.cm"}, done, []string{"NetworkAccess 1;", "/* CM MIC: valid */\n", "/* CMTS MIC: unchecked"}, ""},
		{"with it", []string{"a.cm", "--secret-file", "secret"}, done, []string{"/* CM MIC: valid */\n", "/* CMTS MIC: valid */\n"}, ""},
		{"with another", []string{"a.cm", "--secret-file", "wrong"}, failed, []string{"/* CM MIC: valid */\n", "/* CMTS MIC: INVALID */\n"}, "a.cm: the CMTS MIC is wrong"},
		{"changed", []string{"b.cm"}, failed, []string{"NetworkAccess 0;", "/* CM MIC: INVALID */\n"}, "b.cm: the CM MIC is wrong"},
		{"several", []string{"a.cm", "b.cm"}, failed, []string{"/* a.cm */\nMain", "/* b.cm */\nMain"}, "b.cm: "},
		{"text", []string{"a.cfg"}, failed, nil, "a.cfg: text, not a boot file; dcs compile makes"},
		{"a document", []string{"a.json", "a.cm"}, failed, []string{"NetworkAccess 1;"}, "a.json: a document, not a boot file; dcs compile --json"},
		{"empty", []string{"empty"}, failed, nil, "empty: empty file; decode takes a boot file"},
		{"by numbers", []string{"snmp.cm", "--numeric"}, done, []string{"SnmpMibObject .1.3.6.1.2.1.69.1.2.1.7.1 Integer 4; /* docsDevNmAccessStatus.1, createAndGo(4) */"}, ""},
		{"to a directory without a name", []string{"-", "-o", "out/"}, misuse, nil, "standard input has no name"},
		{"not there", []string{"none", "a.cm"}, failed, []string{"NetworkAccess 1;"}, "open none: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dcs(string(file), append([]string{"decode"}, tt.args...)...)
			if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
				t.Errorf("status %d, stderr %q; want %d, %q", got.status, got.stderr, tt.status, tt.stderr)
			}
			for _, s := range tt.stdout {
				if !strings.Contains(got.stdout, s) {
					t.Errorf("%q is missing in\n%s", s, got.stdout)
				}
			}
		})
	}
}

// Where the text does not give the file back, a comment says that it will not.
func TestDecodeDiffers(t *testing.T) {
	const mics = "0710000102030405060708090a0b0c0d0e0fff"
	signed := func(body string) string { // with a CM MIC that is right (MULPIv3.0 C.1.1.5)
		b, err := hex.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("%s0610%x%s", body, md5.Sum(b), mics)
	}
	// 43.6, for which vendor ffffff stands: an algorithm and a bitmap (MULPIv3.0 C.1.1.18.1.6).
	extended := func(config string) string {
		return signed(fmt.Sprintf("0301012b%02x0803ffffff06%02x%s", 7+len(config)/2, len(config)/2, config))
	}
	const object = "0b25" + "3023" + "060b2b06010201810c01020b00" + "0414" + "000102030405060708090a0b0c0d0e0f10111213"
	for _, tt := range []struct {
		name, file string
		status     int // of decode
		want       []string
		compiles   bool
	}{
		{"MMH16", extended("010102" + "020110"), done, []string{"/* differs: offset 10: the compiler refuses it: extended CMTS MIC: MMH16", "/* CM MIC: valid */\n"}, false},
		{"no algorithm", extended("020110"), done, []string{"/* differs: offset 10: the compiler refuses it: 43.6 at offset 10 names no algorithm"}, false},
		{"no TLVs", extended("02"), failed, []string{"/* differs: offset 10: the compiler refuses it: TLV 2 at offset 12", "/* CM MIC: unchecked: mic: TLV 2"}, false},
		{
			"two CM MICs", signed("030101" + "0610000102030405060708090a0b0c0d0e0f"), failed,
			[]string{"duplicate CmMic", "/* CM MIC: unchecked: mic: a second TLV 6 at offset 21 */\n", "/* CMTS MIC: unchecked: mic: a second TLV 6"},
			true,
		},
		{"two hashes", "fe0101" + object + object + "fe01ff", failed, []string{"/* MTA hash: unchecked: mic: a second hash object at offset 42"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			file, err := hex.DecodeString(tt.file)
			if err != nil {
				t.Fatal(err)
			}
			for len(file)%4 != 0 && file[0] != 254 {
				file = append(file, 0)
			}
			text := dcs(string(file), "decode", "-")
			if text.status != tt.status || strings.Contains(text.stdout, "absent") {
				t.Errorf("status %d, %s%s", text.status, text.stdout, text.stderr)
			}
			for _, s := range tt.want {
				if !strings.Contains(text.stdout, s) {
					t.Errorf("%q is missing in\n%s", s, text.stdout)
				}
			}
			got := dcs(text.stdout, "compile", "-")
			if (got.status == done) != tt.compiles {
				t.Errorf("compiled: %+v", got)
			}
			if got.stdout != string(file) && !strings.Contains(text.stdout, "/* differs") {
				t.Errorf("nothing tells that this becomes %x:\n%s", got.stdout, text.stdout)
			}
			doc := dcs(string(file), "decode", "--json", "-")
			if doc.status != tt.status || strings.Contains(doc.stdout, "absent") {
				t.Errorf("as JSON: %+v", doc)
			}
		})
	}
}

func TestDecodeJSON(t *testing.T) {
	file, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	got := dcs(string(file), "decode", "--json", "-")
	var doc struct {
		Name string
		MICs []struct{ Name, Verdict, Found string }
	}
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.status != done {
		t.Fatalf("%v: %+v", err, got)
	}
	if len(doc.MICs) != 2 || doc.MICs[0].Verdict != "valid" || doc.MICs[0].Found != "a3ab4e9009b0f65a3ff916999853a257" || doc.MICs[1].Verdict != "unchecked" {
		t.Errorf("%s", got.stdout)
	}
	if !strings.Contains(got.stdout, "NetworkAccess") {
		t.Errorf("%s", got.stdout)
	}
}

// Below a directory, each text has a name under which a library serves the file by its own.
func TestDecodeTo(t *testing.T) {
	t.Chdir(t.TempDir())
	file, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"a.cm", "b.bin", "c.cfg", "c.cm", "D.CFG", "modem.md5", "plain", "x.dcs", "y.json", ".cfg"}
	for _, name := range append(names, "a.bin") {
		write(t, name, string(file))
	}
	got := dcs("", slices.Concat([]string{"decode", "-o", "out"}, names)...)
	if got.status != done || got.stdout != "" || got.stderr != "" {
		t.Fatalf("%+v", got)
	}
	lib, err := library.Load(library.Config{Dirs: []string{"out"}, MIB: mib.Default()}, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if found := lib.Find([]byte(name)); found == nil && name[0] != '.' { // a library has no hidden files
			t.Errorf("%s is not served", name)
		}
	}
	if got := dcs("", "decode", "a.cm", "a.bin", "-o", "other"); got.status != failed || !strings.Contains(got.stderr, "a.cm and a.bin both make other/a.dcs") {
		t.Errorf("two of one name: %+v", got)
	}
	if got := dcs("", "decode", "a.cm", "-o", "one.txt"); got.status != done {
		t.Errorf("one: %+v", got)
	}
	if got := dcs("", "decode", "--json", "a.cm", "a.bin", "-o", "out"); got.status != done {
		t.Errorf("documents: %+v", got)
	}
	for _, name := range []string{"one.txt", "out/a.cm.json", "out/a.bin.json"} {
		if info, err := os.Stat(name); err != nil || info.Size() == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is written neither replaces a text that differs, nor a boot file that is read, nor holds a part of a file; standard output does.
func TestDecodeKeeps(t *testing.T) {
	t.Chdir(t.TempDir())
	file, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(file), "\x03\x01\x01", "\x03\x01\x00", 1)
	const edited = "Main { NetworkAccess 1; MaxCPE 4; }"
	for name, text := range map[string]string{"a.cm": string(file), "bad.cm": bad, "cut.cm": string(file[:len(file)/2]), "lib/a.dcs": edited} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		write(t, name, text)
	}
	if err := errors.Join(os.Symlink("../a.cm", "lib/b.dcs"), os.Link("a.cm", "b.cm")); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		args   []string
		status int
		file   string // what is looked at
		begins string // "": it is not there
		stderr string
	}{
		{"another text", []string{"a.cm", "-o", "lib/"}, failed, "lib/a.dcs", edited, "lib/a.dcs: exists, with other contents; --force"},
		{"replaced", []string{"a.cm", "-o", "lib/", "--force"}, done, "lib/a.dcs", "Main {\n", ""},
		{"the same again", []string{"a.cm", "-o", "lib/"}, done, "lib/a.dcs", "Main {\n", ""},
		{"itself", []string{"a.cm", "-o", "a.cm"}, failed, "a.cm", string(file), "a.cm: the boot file a.cm itself"},
		{"itself by a link", []string{"b.cm", "-o", "lib/", "--force"}, failed, "a.cm", string(file), "lib/b.dcs: the boot file b.cm itself"},
		{"a part", []string{"cut.cm", "-o", "lib/"}, failed, "lib/cut.dcs", "", "cut.cm: offset "},
		{"a part in a file", []string{"cut.cm", "-o", "cut.txt"}, failed, "cut.txt", "", "; not written"},
		{"a part as a document", []string{"--json", "cut.cm", "-o", "cut.json"}, failed, "cut.json", "", "; not written"},
		{"a wrong MIC", []string{"bad.cm", "-o", "lib/"}, failed, "lib/bad.dcs", "Main {\n", "bad.cm: the CM MIC is wrong"},
	} {
		got := dcs("", append([]string{"decode"}, tt.args...)...)
		if got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) || tt.stderr == "" && got.stderr != "" {
			t.Errorf("%s: %+v", tt.name, got)
		}
		text, err := os.ReadFile(tt.file)
		if tt.begins == "" && err == nil || !strings.HasPrefix(string(text), tt.begins) {
			t.Errorf("%s: %s is %q", tt.name, tt.file, text)
		}
	}
	if got := dcs("", "decode", "cut.cm"); got.status != failed || !strings.Contains(got.stdout, "NetworkAccess 1;") || strings.Contains(got.stderr, "not written") {
		t.Errorf("a part to standard output: %+v", got)
	}
}
