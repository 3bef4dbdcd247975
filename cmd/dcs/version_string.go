package main

import (
	"runtime/debug"
)

// version is what this program was built from.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)" // built without knowledge of its repository
}
