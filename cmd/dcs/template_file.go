package main

import (
	"dcs/render"
	"dcs/render/library"
	"dcs/render/skeleton"
)

// fileName is what a template's file is called on disk.
func fileName(t *library.Template) string {
	switch {
	case t.Item.Name != "":
		return t.Names[0]
	case t.Kind == skeleton.ModemFile:
		return t.Names[0] + ".cm"
	}
	return t.Names[0] + ".bin"
}

// isText tells whether the file is no TLVs.
func isText(x *render.Explanation) bool {
	return x.Static == "" && len(x.Matches) > 0 && x.Matches[0].Template.Kind == skeleton.PlainFile
}
