package strictyaml

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

// numbered repeats a format with a number in it.
func numbered(n int, format string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, format, i)
	}
	return b.String()
}

// laughs is a list of lists of lists…, each level ten aliases of the one before.
func laughs(levels int) string {
	s := "a0: &a0 [x]\n"
	for i := 1; i <= levels; i++ {
		alias := fmt.Sprintf("*a%d, ", i-1)
		s += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(alias, 10), ", "))
	}
	return s
}

// stairs are mappings within one another.
func stairs(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

// What is built to cost the parser, or whoever reads on, more than its size is refused, and at once.
func TestLimits(t *testing.T) {
	const many = 8_000
	for _, tt := range []struct{ name, src, refused string }{
		{"brackets", strings.Repeat("[", 200_000), "nest deeper"},
		{"braces", strings.Repeat("{", many), "nest deeper"},
		{"braces with keys", strings.Repeat("{a: ", many), "nest deeper"},
		{"keys and brackets", strings.Repeat("a: [", many), "nest deeper"},
		{"dashes", strings.Repeat("- ", many), "nest deeper"},
		{"keys of keys", strings.Repeat("? ", many), "nest deeper"},
		{"stairs", stairs(1_000), "nest deeper"},
		{"dashes in lines", strings.ReplaceAll(stairs(1_000), "a:", "-"), "nest deeper"},
		{"stairs in brackets", "[\n" + stairs(1_000) + "]", ""},
		{"documents", strings.Repeat("---\na: b\n", many), "documents"},
		{"ends of documents", strings.Repeat("a: b\n...\n", many), "documents"},
		{"keys", numbered(20_000, "k%d: v\n"), "keys in one mapping"},
		{"keys of a list's entry", "- a: b\n" + numbered(20_000, "  k%d: v\n"), "keys in one mapping"},
		{"keys in braces", "{" + numbered(20_000, "k%d: v, ") + "}", "keys in one mapping"},
		{"octets", strings.Repeat("#", MaxSize+1), "octets"},
		{"aliases", laughs(9), "aliases"},
		{"an alias of itself", "a: &a [*a, *a]", ""},
		{"a long list", strings.Repeat("- a\n", many), ""},
		{"many small mappings", strings.Repeat("- {a: b, c: d}\n- e: f\n  g: h\n", 10_000), ""},
		{"as many keys as may be", numbered(maxKeys, "k%d: v\n"), ""},
		{"closing brackets", strings.Repeat("]", 40_000), ""},
		{"colons", strings.Repeat(": ", many), ""},
		{"commas", "a: [" + strings.Repeat(",", many) + "]", ""},
		{"quoted texts", strings.Repeat("\"a\" ", many), ""},
		{"directives", strings.Repeat("%a\n", many), ""},
		{"block texts", strings.Repeat("- |\n", many), ""},
		{"anchors", strings.Repeat("&a ", many), ""},
		{"aliases in a row", strings.Repeat("*a ", many), ""},
		{"tags", strings.Repeat("!!str ", many), ""},
		{"brackets in pairs", strings.Repeat("[]", many), ""},
		{"keys in pairs of braces", "a: " + strings.Repeat("{a: b}", many), ""},
		{"comments", strings.Repeat("# x\n", many) + "a: b", ""},
		{"comments between keys", numbered(1_000, "k%d: v # x\n# y\n"), ""},
		{"lines of a text", "a: x\n" + strings.Repeat("  x\n", many), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_, err := Parse([]byte(tt.src))
			runtime.ReadMemStats(&after)
			var e *Error
			if err != nil && !errors.As(err, &e) {
				t.Fatalf("%v is no *Error", err)
			}
			if tt.refused != "" && (e == nil || !strings.Contains(e.Safe, tt.refused)) {
				t.Errorf("it is not refused for %q: %v", tt.refused, err)
			}
			if tt.refused == "" && err != nil && strings.Contains(err.Error(), "more than") {
				t.Errorf("it is refused: %v", err)
			}
			if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 300 {
				t.Errorf("%d MiB were allocated", made)
			}
		})
	}
}

// What operators write is far from the limits, texts with brackets among it.
func TestLimitsOrdinary(t *testing.T) {
	texts := "list:\n" + strings.Repeat("  - '[\\w-]+[#>{'\n  - a[b{c\n", 1_000)
	if _, err := Parse([]byte(texts)); err != nil {
		t.Error(err)
	}
	n := 0
	err := filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yaml" {
			return err
		}
		src, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var e *Error
		if _, err := Parse(src); errors.As(err, &e) && (strings.Contains(e.Safe, "more than") || strings.Contains(e.Safe, "deeper")) {
			t.Errorf("%s: %v", path, err)
		}
		n++
		return nil
	})
	if err != nil || n < 5 {
		t.Errorf("%d files, %v", n, err)
	}
}

// A file is read no further than it may be long, whatever it is.
func TestReadFile(t *testing.T) {
	dir := t.TempDir()
	for name, size := range map[string]int{"small": 10, "full": MaxSize, "large": MaxSize + 1} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(strings.Repeat("#", size)), 0o600); err != nil {
			t.Fatal(err)
		}
		if src, err := ReadFile(filepath.Join(dir, name)); (err != nil) != (size > MaxSize) || err == nil && len(src) != size {
			t.Errorf("%s: %d octets, %v", name, len(src), err)
		}
	}
	if _, err := ReadFile("/dev/zero"); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("/dev/zero: %v", err)
	}
}

// No input panics, or takes memory out of proportion.
func FuzzParse(f *testing.F) {
	for _, s := range []string{"a: [b, {c: d}]\n- e\n", "? a\n: b\n", "a: &x [1]\nb: *x\n<<: *x\n", "- - - a\n", "--- |\n x\n...\n", "a: !!str b # c\n", "[[[{a: "} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		late := time.AfterFunc(20*time.Second, func() { panic(fmt.Sprintf("still reading %q", src)) })
		defer late.Stop()
		var e *Error
		if _, err := Parse(src); err != nil && !errors.As(err, &e) {
			t.Errorf("%v is no *Error", err)
		}
		var v value
		if err := Decode(src, &v); err != nil && !errors.As(err, &e) {
			t.Errorf("%v is no *Error", err)
		}
	})
}
