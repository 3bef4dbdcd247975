package main

import (
	"fmt"

	"dcs/render/library"
)

// mostShown is how many errors of one kind about static files are shown one by one.
const mostShown = 20

// unreadable returns a line for each static file and directory that could not be read, and one for those beyond mostShown.
func unreadable(snap *library.Snapshot) []string {
	var lines []string
	all := snap.Unreadable()
	for _, u := range all[:min(len(all), mostShown)] {
		what := "its names get no file until it can be read"
		if u.Kept {
			what = "what was loaded of it before is served"
		}
		lines = append(lines, fmt.Sprintf("%s: cannot be read: %v; %s", u.Path, u.Err, what))
	}
	if more := len(all) - len(lines); more > 0 {
		lines = append(lines, fmt.Sprintf("… and %d more static files that cannot be read", more))
	}
	return lines
}
