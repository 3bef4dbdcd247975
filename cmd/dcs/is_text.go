package main

import (
	"dcs/render"
	"dcs/render/skeleton"
)

// isText tells whether the file is no TLVs.
func isText(x *render.Explanation) bool {
	return x.Static == "" && len(x.Matches) > 0 && x.Matches[0].Template.Kind == skeleton.PlainFile
}
