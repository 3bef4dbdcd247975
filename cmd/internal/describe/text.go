package describe

import (
	"dcs/render"
	"dcs/render/skeleton"
)

// IsText reports whether the explained file is plain text, without TLVs.
func IsText(x *render.Explanation) bool {
	return x.Static == "" && len(x.Matches) > 0 && x.Matches[0].Template.Kind == skeleton.PlainFile
}
