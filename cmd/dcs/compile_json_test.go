package main

import (
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCompileJSON(t *testing.T) {
	t.Chdir(t.TempDir())
	write(t, "secret", "DOCSIS\n")
	file, err := hex.DecodeString(one)
	if err != nil {
		t.Fatal(err)
	}
	write(t, "a.cm", string(file))
	write(t, "b.cm", string(file))
	doc := dcs("", "decode", "--json", "a.cm").stdout
	edited := strings.Replace(doc, `"value": 1,
        "hex": "01"`, `"value": 0`, 1)
	if edited == doc {
		t.Fatalf("no NetworkAccess in %s", doc)
	}
	if got := dcs(doc, "compile", "--json", "-"); got.status != done || got.stdout != string(file) || got.stderr != "" {
		t.Errorf("as it is: %+v", got)
	}
	if got := dcs(doc, "compile", "--json", "-", "--secret-file", "secret"); got.status != done || got.stdout != string(file) {
		t.Errorf("signed anew: %+v", got)
	}
	if got := dcs(edited, "compile", "--json", "-"); got.status != done || !strings.Contains(got.stderr, "warning: the CM MIC is missing or not that of the file") {
		t.Errorf("edited: %+v", got)
	}
	got := dcs(edited, "compile", "--json", "-", "--secret-file", "secret")
	want := dcs("Main { NetworkAccess 0; }", "compile", "-", "--secret-file", "secret")
	if got.status != done || got.stdout != want.stdout || got.stderr != "" {
		t.Errorf("edited and signed: %+v, want %x", got, want.stdout)
	}

	write(t, "both.json", dcs("", "decode", "--json", "a.cm", "b.cm").stdout)
	if got := dcs("", "compile", "--json", "both.json", "-o", "out/"); got.status != done {
		t.Errorf("two: %+v", got)
	}
	for _, name := range []string{"a.cm", "b.cm"} {
		if got, err := os.ReadFile(filepath.Join("out", name)); err != nil || string(got) != string(file) {
			t.Errorf("out/%s: %x, %v", name, got, err)
		}
	}

	phone := dcs("Main { MtaConfigDelimiter 1; SnmpMibObject sysContact.0 String \"x\"; MtaConfigDelimiter 255; }", "compile", "-", "--mta-hash", "eu").stdout
	mta := dcs(phone, "decode", "--json", "-").stdout
	if got := dcs(mta, "compile", "--json", "-", "--mta-hash", "eu"); got.status != done || got.stdout != phone {
		t.Errorf("an MTA's: %+v, want %x", got, phone)
	}
	if got := dcs(strings.ReplaceAll(mta, `"value": 255`, `"value": 254`), "compile", "--json", "-"); got.status != failed || !strings.Contains(got.stderr, "file.tlvs[3].value: hex says otherwise") {
		t.Errorf("an MTA's, edited: %+v", got)
	}

	for _, tt := range []struct {
		in     string
		args   []string
		status int
		stderr string
	}{
		{"", []string{"-"}, failed, "standard input: offset 0: no JSON document"},
		{doc + "x", []string{"-", "-o", "out/"}, failed, "no JSON document: invalid character 'x'"},
		{doc + doc, []string{"-", "-o", "twice/"}, failed, "both make"},
		{"Main { }", []string{"-"}, failed, "no JSON document"},
		{doc, []string{"-", "--set", "a=b"}, misuse, "--set does not apply to --json"},
		{doc, []string{"-", "--mta-hash", "na"}, failed, "applies only to MTA files"},
		{mta, []string{"-", "--secret-file", "secret"}, failed, "--secret-file does not apply to a file of dialect mta, which has no MIC"},
		{`{"dialect": "ps", "tlvs": [{"code": 255}]}`, []string{"-", "--secret-file", "secret"}, failed, "--secret-file does not apply to a file of dialect ps"},
		{`{"tlvs": [` + strings.Repeat(`{"code": 200, "hex": "`+strings.Repeat("00", 255)+`"},`, 4096) + `{"code": 3, "hex": "01"}]}`, []string{"-"}, failed, "the file has 1052675 octets, more than the 1048576"},
		{`{"file": {"tlvs": [{"code": 11, "value": {"oid": "1.3.6.1.2.1.2.2.1.7.1", "type": "Integer", "value": 9}}]}}`, []string{"-"}, done, "warning: file.tlvs[0].value: SnmpMibObject: ifAdminStatus: 9 is not one of"},
		{`{"tlvs": [{"code": 3}]}`, []string{"-"}, failed, "standard input: tlvs[0]: missing hex"},
		{doc + doc, []string{"-", "-o", "one.cm"}, misuse, "several boot files need a directory"},
	} {
		if got := dcs(tt.in, append([]string{"compile", "--json"}, tt.args...)...); got.status != tt.status || !strings.Contains(got.stderr, tt.stderr) {
			t.Errorf("%q: %+v, want %d, %s", tt.args, got, tt.status, tt.stderr)
		}
	}
}
