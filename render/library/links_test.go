package library

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/render/ber/mib"
)

// What stands behind a link that is not followed, or in a directory that cannot be read, is not replaced by the next best:
// neither in the place of a name, nor of what a template includes or is made from.
func TestLinksHideNothing(t *testing.T) {
	files := map[string]string{
		"lib/walled.dcs":       `Main ~ "^(s/)?cm-" { MaxCPE 1; }`,
		"lib/s/includes.dcs":   `Main "includes" { include "q/part.dcs"; }`,
		"lib/s/chosen.dcs":     `Main ~ "^chosen-(?P<p>[a-z]+)$" priority 2 { include "q/$p.dcs"; }`,
		"lib/s/binary.dcs":     `Binary "binary" from "q/file.bin";`,
		"lib/q/part.dcs":       `Block part { MaxCPE 2; }`,
		"lib/q/file.bin":       "the library's",
		"outside/part.dcs":     `Block meant { MaxCPE 3; }`,
		"outside/cm-gold.dcs":  `Main { MaxCPE 16; }`,
		"outside/file.bin":     "meant",
		"static/file":          "a file",
		"outside-static/cm-st": "meant",
	}
	for _, tt := range []struct {
		name, link, target string
		broken, sound      []string
	}{
		{"no link", "", "", nil, []string{"cm-gold", "includes", "binary", "s/cm-st", "file"}},
		{"library to nothing", "lib/s/q", "nowhere", []string{"cm-gold", "includes", "chosen-part", "binary"}, []string{"file"}},
		{"library to a directory", "lib/s/q", "../../outside", []string{"cm-gold", "includes", "chosen-part", "binary"}, []string{"file"}},
		{"library in a circle", "lib/s/q", "q", []string{"cm-gold", "includes", "binary"}, []string{"file"}},
		{"library to itself", "lib/s/all", "..", nil, []string{"cm-gold", "includes", "binary", "file"}},
		{"a source to nothing", "lib/s/x.dcs", "nowhere", []string{"cm-gold"}, []string{"includes", "binary", "file"}},
		{"a file to nothing", "lib/s/q.bin", "nowhere", []string{"cm-gold"}, []string{"includes", "binary", "file"}},
		{"static to nothing", "static/s", "nowhere", []string{"s/cm-st"}, []string{"cm-gold", "includes", "file"}},
		{"static to a directory", "static/s", "../outside-static", []string{"s/cm-st"}, []string{"cm-gold", "includes", "file"}},
		{"static to a file", "static/s", "file", nil, []string{"s/cm-st", "cm-gold", "includes", "file"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := tree(t, files)
			if tt.link != "" {
				check(t, os.Symlink(tt.target, filepath.Join(root, tt.link)))
			}
			s, err := Load(Config{Dirs: []string{filepath.Join(root, "lib")}, Static: []string{filepath.Join(root, "static")}, MIB: mib.Default()}, nil)
			told := err != nil && strings.Contains(err.Error(), tt.link) || len(s.Unreadable()) == 1 && strings.HasSuffix(s.Unreadable()[0].Path, tt.link)
			if told != (len(tt.broken) > 0) {
				t.Errorf("error %v, unreadable %v", err, s.Unreadable())
			}
			for _, name := range tt.broken {
				if l := find(s, name); l == nil {
					t.Errorf("%s is unknown", name)
				} else if got := answer(t, s, name); got != "broken" {
					t.Errorf("%s gets %q", name, got)
				}
			}
			for _, name := range tt.sound {
				if l := find(s, name); l == nil || l.Fault() != nil {
					t.Errorf("%s gets no file", name)
				}
			}
		})
	}
}

// What is in the library and not read is not passed over in silence.
func TestUnreadWarnings(t *testing.T) {
	root := tree(t, map[string]string{"lib/walled.dcs": `Main ~ "^cm-" { MaxCPE 1; }`, "lib/cm-gold.CFG": "Main { MaxCPE 2; }", "lib/s/t.Dcs": "Main { MaxCPE 2; }", "more/README": "x", "lib/notes.TXT.md": "x"})
	s, err := Load(Config{Dirs: []string{filepath.Join(root, "lib"), filepath.Join(root, "more")}, MIB: mib.Default()}, nil)
	check(t, err)
	for path, msg := range map[string]string{"lib/cm-gold.CFG": "lower case", "lib/s/t.Dcs": "lower case", "more": "is it mounted?"} {
		n := 0
		for _, w := range s.Warnings {
			if w.Pos.File == filepath.Join(root, path) && strings.Contains(w.Msg, msg) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%s: %d warnings: %v", path, n, s.Warnings)
		}
	}
}
