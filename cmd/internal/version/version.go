// Package version tells which version of the program this is.
package version

import (
	"runtime/debug"
)

// String is what this program was built from.
func String() string {
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "(devel)" // built without knowledge of its repository
}
