package cmts

import (
	"slices"
	"testing"
)

func TestTelnetOptions(t *testing.T) {
	in := "\xff\xfb\x01a\xff\xfd\x18b\xff\xff\xff\xfa\x18\x01\xff\xff\xff\xf0c\xff\xfb\x2ad\xff\xf1e"
	for _, size := range []int{1, 2, len(in)} {
		var c telnet
		var text, reply []byte
		for chunk := range slices.Chunk([]byte(in), size) {
			a, b := c.filter(nil, chunk)
			text, reply = append(text, a...), append(reply, b...)
		}
		if want := "ab\xffcde"; string(text) != want {
			t.Errorf("text %q, want %q", text, want)
		}
		// DO echo; WON'T terminal type; DON'T an unknown one.
		if want := "\xff\xfd\x01\xff\xfc\x18\xff\xfe\x2a"; string(reply) != want {
			t.Errorf("reply %q, want %q", reply, want)
		}
	}
}
