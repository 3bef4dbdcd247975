package skeleton

import "dcs/render/syntax"

// AsIs returns the octets that a Binary item without resign serves, and the path that they were read from; ok: it is one.
func (t *Template) AsIs() (file []byte, path string, ok bool) {
	if t.Item.Kind != syntax.Binary || t.Item.Resign {
		return nil, "", false
	}
	return t.source, t.sourcePath, true
}
