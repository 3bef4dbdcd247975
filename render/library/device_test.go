package library

import (
	"fmt"
	"strings"
	"testing"

	"dcs/render/ber/mib"
)

// A name that ends in @ and a MAC address is looked up without them, so that what is called so is never served.
func TestDeviceWarnings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		item   string
		static []string
		want   string // the only warning; empty: there is none
	}{
		{"a literal name", `Main "a@0a0102030405" { MaxCPE 1; }`, nil, "a.dcs:1:6: nobody can ask for this name"},
		{"with colons and a slash", `Main "/a@0a:01:02:03:04:05" { MaxCPE 1; }`, nil, "a.dcs:1:6: nobody can ask for this name"},
		{"a name with an end behind the address", `Main "a@0a0102030405.cm" { MaxCPE 1; }`, nil, ""},
		{"an @ and no address", `Main "a@b" { MaxCPE 1; }`, nil, ""},
		{"a group called mac", `Main ~ "^cm@(?P<mac>[0-9a-f]{12})$" { CpeMacAddress $mac; }`, nil, "a.dcs:1:8: the pattern has an @"},
		{"of one maker", `Main ~ "^cm@0a01[0-9a-f]{8}$" { MaxCPE 1; }`, nil, "a.dcs:1:8: the pattern has an @"},
		{"an open end", `Main ~ "^cm@" { MaxCPE 1; }`, nil, "a.dcs:1:8: the pattern has an @"},
		{"an end that no address has", `Main ~ "^cm@(?P<mac>[0-9a-f]{12})\.bin$" { CpeMacAddress $mac; }`, nil, ""},
		{"no @", `Main ~ "^cm-(?P<mac>[0-9a-f]{12})$" { CpeMacAddress $mac; }`, nil, ""},
		{"a static file", "", []string{"a@0a0102030405", "b"}, "a@0a0102030405:1:1: nobody can ask for this static file:"},
		{"many", "", []string{"z@0a0102030405", "y@0a0102030406", "sub/x@0a0102030407", "x@y"}, "x@0a0102030407:1:1: nobody can ask for 3 static files such as this one:"},
		{"none", "", []string{"a@b", "0a0102030405"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files := map[string]string{}
			for _, name := range tt.static {
				files[name] = "static"
			}
			s, err := Load(Config{Dirs: []string{tree(t, map[string]string{"a.dcs": tt.item + " Block b { MaxCPE 1; }"})}, Static: []string{tree(t, files)}, MIB: mib.Default()}, nil)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprint(s.Warnings)
			if tt.want == "" && len(s.Warnings) > 0 || tt.want != "" && (len(s.Warnings) != 1 || !strings.Contains(got, tt.want)) {
				t.Errorf("got %s\nwant …%s…", got, tt.want)
			}
		})
	}
}
