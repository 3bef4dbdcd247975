package main

import (
	"runtime"
	"strings"
	"testing"

	"dcs/bench/require"
	"dcs/render/bootfile"
)

// allocated returns how many octets f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// What is no boot file is refused before it costs anything, by whichever way it comes.
func TestDecodeBounded(t *testing.T) {
	require.Long(t, "files of 60 MB")
	t.Chdir(t.TempDir())
	huge := strings.Repeat("\x01\x01\x01", 20<<20)
	write(t, "huge", huge)
	write(t, "large", huge[:bootfile.MaxSize/3*3])
	for _, tt := range []struct {
		name, stdin, file, stderr string
		most                      uint64 // octets
	}{
		{"a file", "", "huge", "huge: larger than 1048576 octets", 16 << 20},
		{"standard input", huge, "-", "standard input: larger than 1048576 octets", 16 << 20},
		{"a device without end", "", "/dev/zero", "/dev/zero: larger than 1048576 octets", 16 << 20},
		{"the largest that is read", "", "large", "", 1 << 30},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var got result
			if n := allocated(func() { got = dcs(tt.stdin, "decode", tt.file) }); n > tt.most {
				t.Errorf("%d MiB were allocated", n>>20)
			}
			if !strings.Contains(got.stderr, tt.stderr) || tt.stderr != "" && (got.status != failed || got.stdout != "") {
				t.Errorf("status %d, %s", got.status, got.stderr)
			}
			if tt.stderr == "" && strings.Contains(got.stderr, "larger than") {
				t.Errorf("refused: %s", got.stderr)
			}
		})
	}
}
