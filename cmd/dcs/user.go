package main

import (
	"slices"

	"dcs/cmd/internal/config"
)

// switching are the capabilities that starting and ending a plug-in of another user takes.
var switching = []string{"CAP_SETUID", "CAP_SETGID", "CAP_KILL"}

// otherUsers tells whether a plug-in runs as a user of its own.
func otherUsers(sources []config.DeviceSource) bool {
	return slices.ContainsFunc(sources, func(s config.DeviceSource) bool { return s.Plugin != nil && s.Plugin.User != "" })
}
