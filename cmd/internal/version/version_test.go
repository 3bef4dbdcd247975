package version

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strings"
	"testing"
)

const root = "../../.."

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestNumber(t *testing.T) {
	want := read(t, root+"/.version")
	if number != want {
		t.Errorf("version.txt has %q, .version has %q; run make generate", number, want)
	}
	// Semantic Versioning 2.0.0, a version without pre-release and build metadata.
	if !regexp.MustCompile(`^(0|[1-9]\d*)(\.(0|[1-9]\d*)){2}\n$`).MatchString(want) {
		t.Errorf(".version has %q, want MAJOR.MINOR.PATCH on a line", want)
	}
	if heading := "\n## [" + strings.TrimSpace(want) + "]"; !strings.Contains(read(t, root+"/.github/CHANGELOG.md"), heading) {
		t.Errorf("CHANGELOG.md has no section %q", strings.TrimSpace(heading))
	}
}

func TestPlain(t *testing.T) {
	base := strings.TrimSpace(number)
	hash := "02629bf0123456789abcdef0123456789abcdef0"
	settings := func(revision, modified string) *debug.BuildInfo {
		return &debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}}
	}
	for _, tc := range []struct {
		name            string
		build           *debug.BuildInfo
		version, commit string
	}{
		{"no build information", nil, base + "+devel", ""},
		{"no repository", &debug.BuildInfo{}, base + "+devel", ""},
		{"commit", settings(hash, "false"), base + "+devel.02629bf", hash},
		{"uncommitted changes", settings(hash, "true"), base + "+devel.02629bf.dirty", hash},
	} {
		if version, commit := plain(tc.build, tc.build != nil); version != tc.version || commit != tc.commit {
			t.Errorf("%s: %q, %q, want %q, %q", tc.name, version, commit, tc.version, tc.commit)
		}
	}
}

// The version that the Makefile links, in repositories made for it.
func TestScript(t *testing.T) {
	script := read(t, root+"/cmd/dcs/packaging/version.sh")
	dir := t.TempDir()
	write := func(path, text string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(dir, name string, args ...string) string {
		t.Helper()
		cmd := exec.Command(name, args...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "GIT_CEILING_DIRECTORIES="+os.TempDir(),
			"GIT_AUTHOR_NAME=t", "GIT_AUTHOR_EMAIL=t@example.com", "GIT_COMMITTER_NAME=t", "GIT_COMMITTER_EMAIL=t@example.com")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %s: %v: %s", name, strings.Join(args, " "), err, out)
		}
		return strings.TrimSpace(string(out))
	}
	git := func(args ...string) string { t.Helper(); return run(dir, "git", args...) }
	want := func(dir, want string) {
		t.Helper()
		if got := run(dir, "cmd/dcs/packaging/version.sh"); got != want {
			t.Errorf("%s, want %s", got, want)
		}
	}
	short := func() string { return git("rev-parse", "HEAD")[:7] }

	write("cmd/dcs/packaging/version.sh", script)
	write(".version", "1.2.3\n")
	want(dir, "1.2.3+devel") // sources without git
	git("init", "-q")
	git("commit", "-q", "--allow-empty", "-m", "empty")
	want(dir, "1.2.3+devel") // .version is not committed
	git("add", ".")
	git("commit", "-q", "-m", "release 1.2.3")
	want(dir, "1.2.3")
	write("cmd/dcs/x", "x\n")
	git("add", ".")
	want(dir, "1.2.3+git.0."+short()+".dirty")
	git("commit", "-q", "-m", "a change")
	git("commit", "-q", "--allow-empty", "-m", "another")
	want(dir, "1.2.3+git.2."+short())
	write(".version", "1.3.0\n")
	git("commit", "-q", "-a", "-m", "release 1.3.0")
	want(dir, "1.3.0")

	shallow := t.TempDir()
	run(shallow, "git", "clone", "-q", "--depth", "1", "file://"+dir, "clone")
	want(filepath.Join(shallow, "clone"), "1.3.0+devel")

	outer := t.TempDir() // the sources within another repository
	run(outer, "git", "init", "-q")
	run(outer, "cp", "-r", filepath.Join(dir, "cmd"), filepath.Join(dir, ".version"), ".")
	run(outer, "git", "add", ".")
	run(outer, "git", "commit", "-q", "-m", "all")
	want(outer, "1.3.0")
	run(outer, "mkdir", "dcs")
	run(outer, "git", "mv", "cmd", ".version", "dcs")
	run(outer, "git", "commit", "-q", "-m", "a directory of its own")
	want(filepath.Join(outer, "dcs"), "1.3.0+devel")
}
