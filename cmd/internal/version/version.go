// Package version holds the version of this build.
package version

import (
	_ "embed"
	"fmt"
	"runtime"
	"runtime/debug"
	"strings"
)

//go:generate cp ../../../.version version.txt

// number is the version of the last release: a copy of the repository's file .version, which go:embed cannot reach.
//
//go:embed version.txt
var number string

// Set with -ldflags -X by "make build" and "make package", which ask git; empty after a plain "go build".
var (
	linked string // the version, such as 0.9.0 or 0.9.0+git.12.02629bf
	commit string // the commit's hash
)

// Info describes a build.
type Info struct {
	Version string `json:"version"`          // semantic; with "+git.COUNT.HASH" or "+devel" between releases
	Commit  string `json:"commit,omitempty"` // hash; empty when built outside of a repository
	Go      string `json:"go"`               // version of the Go toolchain
	OS      string `json:"os"`
	Arch    string `json:"arch"`
}

// Get returns the description of this build.
func Get() Info {
	info := Info{Version: linked, Commit: commit, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if info.Version == "" {
		info.Version, info.Commit = plain(debug.ReadBuildInfo())
	}
	return info
}

// String returns the version.
func String() string { return Get().Version }

// String returns the description on one line, without the commit.
func (i Info) String() string { return fmt.Sprintf("%s %s %s/%s", i.Version, i.Go, i.OS, i.Arch) }

// plain returns version and commit of a plain "go build". It never claims to be a release: without git's history it cannot know
// whether the commit is a release.
func plain(build *debug.BuildInfo, ok bool) (version, commit string) {
	version = strings.TrimSpace(number) + "+devel"
	if !ok {
		return version, ""
	}
	modified := ""
	for _, s := range build.Settings {
		switch s.Key {
		case "vcs.revision":
			commit = s.Value
		case "vcs.modified":
			if s.Value == "true" {
				modified = ".dirty"
			}
		}
	}
	if len(commit) >= 7 {
		version += "." + commit[:7] + modified
	}
	return version, commit
}
