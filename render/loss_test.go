package render

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"dcs/render/ber/mib"
	"dcs/render/library"
	"dcs/render/mic"
)

// Files that vanish in steps, each small enough for itself, are held back at half of the names, whether nothing is left to
// answer them or a pattern that was there all the time.
func TestLossInSteps(t *testing.T) {
	const files = 40
	for _, where := range []string{"lib", "static"} {
		for _, rest := range []string{`Main "rest" { NetworkAccess 0; }`, `Main ~ "^cm-" { NetworkAccess 0; }`} {
			t.Run(where+" "+rest, func(t *testing.T) {
				dir := t.TempDir()
				write := func(name, text string) {
					t.Helper()
					if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
						t.Fatal(err)
					}
					if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
						t.Fatal(err)
					}
				}
				path := func(i int) string { return filepath.Join(dir, where, fmt.Sprintf("f%d.dcs", i)) }
				put := func(i int) { write(path(i), fmt.Sprintf(`Main "cm-%d" { NetworkAccess 1; }`, i)) }
				if where == "static" {
					path = func(i int) string { return filepath.Join(dir, where, fmt.Sprintf("cm-%d", i)) }
					put = func(i int) { write(path(i), "gold") }
				}
				write(filepath.Join(dir, "lib", "rest.dcs"), rest)
				for i := range files {
					put(i)
				}
				keys, err := mic.NewKeyring(mic.NewSecret(nil))
				if err != nil {
					t.Fatal(err)
				}
				now := time.Unix(0, 0)
				e, err := NewEngine(Config{
					Library: library.Config{Dirs: []string{filepath.Join(dir, "lib")}, Static: []string{filepath.Join(dir, "static")}, MIB: mib.Default()},
					Keyring: keys, Now: func() time.Time { return now },
				})
				if err != nil {
					t.Fatal(err)
				}
				remove := func(i int) error {
					t.Helper()
					if err := os.Remove(path(i)); err != nil {
						t.Fatal(err)
					}
					return e.Reload(false)
				}
				gone := 0
				for err = nil; err == nil && gone < files; gone++ {
					err = remove(gone)
				}
				if !errors.Is(err, ErrHeldBack) || 2*gone < files || 2*gone > files+4 {
					t.Fatalf("%d of %d files are gone: %v", gone, files, err)
				}
				if err := e.Reload(false); !errors.Is(err, ErrHeldBack) {
					t.Errorf("asked again: %v", err)
				}
				for i := range gone {
					put(i)
				}
				if err := e.Reload(false); err != nil || e.earlier.names != nil {
					t.Errorf("all files are back: %v", err)
				}
				if err := remove(0); err != nil {
					t.Errorf("one is gone again: %v", err)
				}
				for i := 1; i < gone; i++ {
					if err := os.Remove(path(i)); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Reload(false); !errors.Is(err, ErrHeldBack) {
					t.Errorf("half of the files at once: %v", err)
				}
				if err := e.Reload(true); err != nil {
					t.Errorf("with force: %v", err)
				}
				if err := remove(gone); err != nil {
					t.Errorf("what was accepted by force counts on: %v", err)
				}
				now = now.Add(lossWindow)
				for i := gone + 1; i < gone+files/5; i++ { // of the names left less than half
					if err := os.Remove(path(i)); err != nil {
						t.Fatal(err)
					}
				}
				if err := e.Reload(false); err != nil || !e.earlier.since.Equal(now) {
					t.Errorf("an hour later: %v", err)
				}
			})
		}
	}
}
