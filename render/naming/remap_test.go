package naming

import (
	"regexp"
	"strings"
	"testing"
)

// What in.tftpd(8) says of map files, line by line. That the rules do the same is tested beside in.tftpd itself.
func TestRemap(t *testing.T) {
	for _, tt := range []struct {
		line string
		want Rule
		skip string // part of why no rule is needed
		err  string // part of why there is none
	}{
		{line: `r ^/tftpboot/(.*)$ \1`, want: Rule{Match: `^/tftpboot/(.*)$`, To: "$1", Rewrite: true}},
		{line: `  rg	\\	/	# a comment`, want: Rule{Match: `\\`, To: "/", Rewrite: true, Repeat: true}},
		{line: `rg \# @`, want: Rule{Match: `\#`, To: "@", Rewrite: true, Repeat: true}},
		{line: `r a\ b c\ d`, want: Rule{Match: `a\ b`, To: "c d", Rewrite: true}},
		{line: `ri ^[a-z]:`, want: Rule{Match: `(?i)^[a-z]:`, Rewrite: true}},
		{line: `e ^ok/`, want: Rule{Match: "^ok/", Last: true}},
		{line: `re ^(x)\.y$ \0\U\1\E\\$`, want: Rule{Match: `^(x)\.y$`, To: `$0\U$1\E\\$$`, Rewrite: true, Last: true}},
		{line: `a \.pvt$`, want: Rule{Match: `\.pvt$`, Refuse: true}},
		{line: `~a ^/tftpboot/`, want: Rule{Unless: "^/tftpboot/", Refuse: true}},
		{line: `~ie ^ok`, want: Rule{Unless: "(?i)^ok", Last: true}},
		{line: `rG x y`, want: Rule{Match: "x", To: "y", Rewrite: true}},
		{line: `r []a\[:digit:]^-] x`, want: Rule{Match: `[\]a\\[:digit:]^-]`, To: "x", Rewrite: true}},
		{line: `r [^]] x`, want: Rule{Match: `[^\]]`, To: "x", Rewrite: true}},
		{line: `r a{,3}b{2}c{1,}d{0,1} x`, want: Rule{Match: `a{0,3}b{2}c{1,}d{0,1}`, To: "x", Rewrite: true}},
		{line: `r \<a\>\w\d x`, want: Rule{Match: `\ba\b\wd`, To: "x", Rewrite: true}},

		{line: `rP ^x y`, skip: "write requests"},
		{line: `G x`, skip: "no effect"},

		{line: `rs ^x y`, err: "s: "},
		{line: `r4 ^x y`, err: "4: "},
		{line: `e6 ^x`, err: "6: "},
		{line: `rz ^x y`, err: "z: unknown operation"},
		{line: `r ^x \i/x`, err: `\i: `},
		{line: `r ^x \x/x`, err: `\x: `},
		{line: `r (a)\1 x`, err: "back-references"},
		{line: `r [[.a.]] x`, err: "collating"},
		{line: `r [a x`, err: "[ without ]"},
		{line: `r a{x} y`, err: "invalid repetition"},
		{line: `r *a y`, err: "nothing to repeat before"},
		{line: `r (?i)a y`, err: "nothing to repeat before"},
		{line: `r a|*b y`, err: "nothing to repeat before"},
		{line: `r a+? y`, err: "after another repetition"},
		{line: `r (a y`, err: "missing closing )"},
		{line: `r a \2`, err: "no group"},
		{line: `rg a* b`, err: "never ends"},
		{line: `~r a b`, err: "unless cannot be used"},
		{line: `g a b`, skip: "no effect"},
		{line: `r`, err: "without an expression"},
		{line: `r a b c`, err: "more than"},
	} {
		lines := Remap("# first\n\n" + tt.line + "\n")
		if len(lines) != 1 || lines[0].Line != 3 {
			t.Errorf("%s: %+v", tt.line, lines)
			continue
		}
		l := lines[0]
		switch {
		case tt.err != "":
			if l.Err == nil || !strings.Contains(l.Err.Error(), tt.err) {
				t.Errorf("%s: %v, want …%s…", tt.line, l.Err, tt.err)
			}
		case tt.skip != "":
			if l.Err != nil || !strings.Contains(l.Skip, tt.skip) {
				t.Errorf("%s: %v %q, want …%s…", tt.line, l.Err, l.Skip, tt.skip)
			}
		case l.Err != nil || l.Skip != "" || l.Rule != tt.want:
			t.Errorf("%s: %+v", tt.line, l)
		}
	}
}

// FuzzRemap checks that every rule that comes out can be used, and that its expression is one of RE2.
func FuzzRemap(f *testing.F) {
	f.Add("ri ^[a-z]: \\0\nrg \\\\ /\n~a ^x")
	f.Fuzz(func(t *testing.T, src string) {
		for _, l := range Remap(src) {
			if l.Err != nil || l.Skip != "" {
				continue
			}
			if err := l.Rule.Compile(); err != nil {
				t.Fatalf("%q: %v", l.Text, err)
			}
			if _, err := regexp.Compile(l.Rule.Match + l.Rule.Unless); err != nil {
				t.Fatalf("%q: %v", l.Text, err)
			}
		}
	})
}
