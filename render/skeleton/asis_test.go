package skeleton

import (
	"crypto/md5"
	"slices"
	"strings"
	"testing"

	"dcs/render/syntax"
)

// A file that its own MIC does not vouch for is signed anew all the same, and told of.
func TestResignDoubted(t *testing.T) {
	good := []byte{3, 1, 1, 18, 1, 4}
	sum := md5.Sum(good)
	good = append(append(good, 6, 16), sum[:]...)
	bad := slices.Clone(good)
	bad[5]++
	for name, tt := range map[string]struct {
		file []byte
		told bool
	}{"as it was made": {good, false}, "changed": {bad, true}, "never signed": {good[:6], false}} {
		var told []string
		env := &Env{
			ReadFile: func(syntax.Pos, string) ([]byte, error) { return tt.file, nil },
			Path:     func(syntax.Pos, string) string { return "f" },
			Warn:     func(_ syntax.Pos, msg string) { told = append(told, msg) },
		}
		f, err := syntax.Parse("a.dcs", []byte(`Binary "b" from "f" resign`), syntax.DCS)
		if err != nil {
			t.Fatal(err)
		}
		made, err := New(env, f.Items[0], nil)
		if err != nil {
			t.Fatal(err)
		}
		if _, fault := made.Specialize(Name{Text: "b"}); fault != nil {
			t.Error(fault)
		}
		if (len(told) == 1 && strings.Contains(told[0], "invalid MIC or hash")) != tt.told || !tt.told && len(told) > 0 {
			t.Errorf("%s: %q", name, told)
		}
		if _, _, ok := made.AsIs(); ok {
			t.Error("it is taken for one that is served as it is")
		}
	}
}
