package library

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"runtime"

	"dcs/render/mapped"
)

// Tag returns the HTTP entity tag of a file, with its quotes: a hash of the content, the same on every server. It is empty
// if a mapped file has changed since it was loaded. The first call for a File reads all of it.
func (f *File) Tag() string {
	f.tag.once.Do(func() {
		_ = mapped.Read(func() error { // a file that is cut short has no tag
			sum := sha256.Sum256(f.Data)
			f.tag.text = `"` + base64.RawURLEncoding.EncodeToString(sum[:]) + `"`
			return nil
		})
		runtime.KeepAlive(f)
	})
	if f.isMapped && f.changed() {
		return ""
	}
	return f.tag.text
}

// changed reports whether the file at the path has been replaced or modified since it was loaded.
func (f *File) changed() bool {
	st, err := os.Stat(f.path)
	return err != nil || idOf(st) != f.id
}
