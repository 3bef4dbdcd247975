package main

import (
	"dcs/render/library"
	"dcs/render/skeleton"
)

// fileName returns the name of a template's file on disk.
func fileName(t *library.Template) string {
	switch {
	case t.Item.Name != "":
		return t.Names[0]
	case t.Kind == skeleton.ModemFile:
		return t.Names[0] + ".cm"
	}
	return t.Names[0] + ".bin"
}
