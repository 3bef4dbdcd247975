package skeleton

import (
	"dcs/render/mic"
	"dcs/render/syntax"
)

// AsIs returns the octets that a Binary item without resign is served as, and the path of their file. ok is false for
// other items.
func (t *Template) AsIs() (file []byte, path string, ok bool) {
	if t.Item.Kind != syntax.Binary || t.Item.Resign {
		return nil, "", false
	}
	return t.source, t.sourcePath, true
}

// resigned warns of a file that gets new MICs although its own MIC or hash is invalid: it may have been changed on
// purpose, or be damaged.
func (c *checker) resigned(it *syntax.Item) {
	if r, err := mic.Verify(c.t.source, nil); err == nil && !r.OK() {
		c.warnf(it.From.Pos, "%s: invalid MIC or hash: the file was changed after it was made, or is damaged; devices accept it once it is signed again", write(it.From))
	}
}
