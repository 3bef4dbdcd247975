package main

import (
	"encoding/hex"
	"encoding/json"
	"strings"
	"testing"
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
	tests := []struct {
		name   string
		args   []string
		status int
		stdout []string
		stderr string
	}{
		{"without a secret", []string{"a.cm"}, done, []string{"NetworkAccess 1;", "# CM MIC: valid\n", "# CMTS MIC: unchecked"}, ""},
		{"with it", []string{"a.cm", "--secret-file", "secret"}, done, []string{"# CM MIC: valid\n", "# CMTS MIC: valid\n"}, ""},
		{"with another", []string{"a.cm", "--secret-file", "wrong"}, failed, []string{"# CM MIC: valid\n", "# CMTS MIC: INVALID\n"}, "a.cm: the CMTS MIC is not right"},
		{"changed", []string{"b.cm"}, failed, []string{"NetworkAccess 0;", "# CM MIC: INVALID\n"}, "b.cm: the CM MIC is not right"},
		{"several", []string{"a.cm", "b.cm"}, failed, []string{"# a.cm\nMain", "# b.cm\nMain"}, "b.cm: "},
		{"not there", []string{"none", "a.cm"}, failed, []string{"NetworkAccess 1;"}, "open none: no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := dcs("", append([]string{"decode"}, tt.args...)...)
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
