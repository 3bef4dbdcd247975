package describe

import (
	"dcs/render"
	"dcs/render/skeleton"
)

// IsText tells whether the file is no TLVs.
func IsText(x *render.Explanation) bool {
	return x.Static == "" && len(x.Matches) > 0 && x.Matches[0].Template.Kind == skeleton.PlainFile
}
