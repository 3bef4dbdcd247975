// Package rendertest holds helpers for the tests of several packages below render.
package rendertest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// MountTmpfs mounts a tmpfs at dir until the end of the test. size is in octets, or in units with the suffix k or m.
func MountTmpfs(t testing.TB, dir, size string) {
	t.Helper()
	require.Root(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size="+size); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
}

// NoSecret fails the test if any of the values reveals secret when it is formatted, logged or marshaled.
func NoSecret(t testing.TB, secret string, values ...any) {
	t.Helper()
	var out strings.Builder
	for _, v := range values {
		fmt.Fprintf(&out, "%v\n%+v\n%#v\n%s\n%q\n", v, v, v, v, v)
		slog.New(slog.NewTextHandler(&out, nil)).Info("text", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("JSON", "value", v)
		text, _ := json.Marshal(v) // a value that contains functions has no JSON
		out.Write(text)
	}
	if i := strings.Index(out.String(), secret); i >= 0 {
		t.Errorf("%q shows in …%s", secret, out.String()[max(0, i-40):i+len(secret)])
	}
}
