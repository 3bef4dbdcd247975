package lint_test

import (
	"testing"
	"time"

	"dcs/render/ber/mib"
	"dcs/render/lint"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// No octets make a rule panic, find more than the bound, or take long; and slots anywhere change nothing about that.
func FuzzLint(f *testing.F) {
	for _, tt := range cases {
		for _, src := range []string{tt.bad, tt.good} {
			made := file(f, src)
			f.Add(uint8(made.Dialect), uint8(0), uint16(0), uint16(0), made.Octets)
			f.Add(uint8(made.Dialect), uint8(lint.V30), uint16(5), uint16(4), made.Octets)
		}
	}
	secrets := []*mic.Secret{mic.NewSecret([]byte("secret"))}
	f.Fuzz(func(t *testing.T, dialect, version uint8, off, size uint16, b []byte) {
		if len(b) > 1<<20 {
			return
		}
		made := &lint.File{Name: "x", Dialect: tlv.Dialect(dialect % 4), Octets: b, Made: version&1 != 0}
		if int(off)+int(size) <= len(b) && off > 0 {
			made.Slots = []lint.Slot{{Off: int(off), Len: int(size), Numeric: size <= 8, Min: 0, Max: 1 << 40, Bounded: true, MaxLen: 300, Text: "$x"}}
		}
		begin := time.Now()
		got := lint.Check(made, &lint.Options{Version: lint.Version(version % 7), Secrets: secrets, MIB: mib.Default(), Now: begin})
		if took := time.Since(begin); took > time.Second {
			t.Errorf("%v", took)
		}
		if len(got) > 200 {
			t.Errorf("%d findings", len(got))
		}
		for _, f := range got {
			if f.Rule == nil || f.Text == "" || f.Offset < 0 || f.Offset > len(b) {
				t.Errorf("%+v", f)
			}
		}
	})
}
