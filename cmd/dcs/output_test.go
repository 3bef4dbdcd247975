package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dcs/bench/require"
)

// In a directory that anybody may write to, an output goes where its name says or nowhere.
func TestWriteFilePlanted(t *testing.T) {
	const other = 12345
	for _, tt := range []struct {
		name    string
		plant   func(name, victim string) error
		owner   int
		refused bool
	}{
		{"another's link", func(name, victim string) error { return os.Symlink(victim, name) }, other, true},
		{"another's link to nothing", func(name, _ string) error { return os.Symlink("nowhere", name) }, other, true},
		{"another's file", func(name, _ string) error { return os.WriteFile(name, nil, 0o666) }, other, true},
		{"another's pipe", func(name, _ string) error { return syscall.Mkfifo(name, 0o666) }, other, true},
		{"a link of ours", func(name, victim string) error { return os.Symlink(victim, name) }, os.Geteuid(), false},
		{"a file of ours", func(name, _ string) error { return os.WriteFile(name, nil, 0o600) }, os.Geteuid(), false},
		{"nothing", func(string, string) error { return nil }, -1, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			shared, victim := filepath.Join(dir, "tmp"), filepath.Join(dir, "victim")
			name := filepath.Join(shared, "out")
			write(t, victim, "victim")
			if err := os.Mkdir(shared, 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(shared, 0o777|os.ModeSticky); err != nil {
				t.Fatal(err)
			}
			if err := tt.plant(name, victim); err != nil {
				t.Fatal(err)
			}
			if tt.owner == other {
				require.Root(t)
				if err := os.Lchown(name, other, other); err != nil {
					t.Fatal(err)
				}
			}
			err := writeFile(name, []byte("output"))
			if (err != nil) != tt.refused || err != nil && !strings.Contains(err.Error(), "belongs to user 12345") {
				t.Errorf("error %v", err)
			}
			want := "victim"
			if tt.name == "a link of ours" {
				want = "output"
			}
			if got, err := os.ReadFile(victim); err != nil || string(got) != want {
				t.Errorf("the victim is %q, %v", got, err)
			}
		})
	}
}
