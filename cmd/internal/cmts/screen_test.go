package cmts

import (
	"slices"
	"strings"
	"testing"

	"dcs/render/secret"
)

func TestScrub(t *testing.T) {
	s := &scrubber{}
	s.hide(secret.New("correct-horse"))
	s.hide(secret.New("abc"))
	for _, tt := range []struct{ in, want string }{
		{"nothing to see", "nothing to see"},
		{"x correct-horse y", "x [secret] y"},
		{"half of it: ct-hor$", "half of it: [secret]$"},
		{"abc, correctcorrect", "[secret], [secret]"},
		{"cor", "cor"},
	} {
		if got := s.scrub(tt.in); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
	for _, tt := range []struct{ in, want string }{
		{" cable shared-secret 7 0F2A3B\r\nnext", "cable shared-secret [hidden] next"},
		{"snmp-server community public RO", "snmp-server community [hidden]"},
		{"a\x1b\x00\x07b\xff\u202e c", "ab c"},
		{strings.Repeat("é", 500), "…" + strings.Repeat("é", maxExcerpt)},
	} {
		if got := s.excerpt(tt.in); got != tt.want {
			t.Errorf("%q becomes %q, want %q", tt.in, got, tt.want)
		}
	}
}

func TestScreen(t *testing.T) {
	for _, tt := range []struct{ in, want string }{
		{"one\r\ntwo\r\n", "one\ntwo\n"},
		{"one\ntwo", "one\ntwo"},
		{" --More-- \b\b\b\b\b\b\b\b\b\b          \b\b\b\b\b\b\b\b\b\bnext\r\n", "next\n"},
		{" --More-- \r          \rnext\r\n", "next\n"},
		{"\x1b[1;31mred\x1b[0m\x1b7\r\n", "red\n"},
		{"\b\b\bx\b\b\by", "y"},
		{"a\r\r\nb", "a\nb"},
		{"nul\x00bell\x07", "nulbell"},
	} {
		for _, size := range []int{1, 3, len(tt.in)} {
			var s screen
			for chunk := range slices.Chunk([]byte(tt.in), size) {
				s.write(chunk)
			}
			if got := s.text(); got != tt.want {
				t.Errorf("%q in chunks of %d becomes %q, want %q", tt.in, size, got, tt.want)
			}
		}
	}
}

func FuzzScreen(f *testing.F) {
	f.Add([]byte(" --More-- \b\b\b\x1b[2K\r\nnext"))
	f.Add([]byte("\xff\xfd\x18\r\x00\x1b["))
	f.Fuzz(func(t *testing.T, in []byte) {
		var whole, pieces screen
		whole.write(in)
		for _, b := range in {
			pieces.write([]byte{b})
		}
		if whole.text() != pieces.text() {
			t.Errorf("whole it is %q, in pieces %q", whole.text(), pieces.text())
		}
		if n := whole.size(); n > len(in) {
			t.Errorf("%d octets became %d", len(in), n)
		}
		for _, c := range []byte(whole.text()) {
			if c < ' ' && c != '\n' && c != '\t' || c == 0x7f {
				t.Errorf("%q is left in %q", c, whole.text())
			}
		}
		s := &scrubber{}
		s.hide(secret.New(newSecret))
		if out := s.excerpt(string(in) + newSecret[:8]); strings.Contains(out, newSecret[:8]) {
			t.Errorf("%q shows the secret", out)
		}
	})
}
