package man

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"dcs/cmd/dcs/doc"
)

// Every page becomes a man page that mandoc, where it is installed, has nothing to say about.
func TestRender(t *testing.T) {
	mandoc, missing := exec.LookPath("mandoc")
	dir := t.TempDir()
	for _, p := range doc.Pages() {
		out := Render(p, time.Unix(1e9, 0).UTC())
		for _, heading := range []string{"\n.SH NAME\n", "\n.SH SEE ALSO\n"} {
			if bytes.Count(out, []byte(heading)) != 1 {
				t.Errorf("%s has not one %q", p.Name, heading)
			}
		}
		file := filepath.Join(dir, p.Man+"."+p.Section)
		if err := os.WriteFile(file, out, 0o644); err != nil {
			t.Fatal(err)
		}
		if missing != nil {
			continue
		}
		if lint, err := exec.Command(mandoc, "-T", "lint", "-W", "warning", file).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", p.Name, err, lint)
		}
	}
	if missing != nil && os.Getenv("DCS_REQUIRE_CLIENTS") != "" {
		t.Error(missing)
	}
}
