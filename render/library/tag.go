package library

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"runtime"

	"dcs/render/mapped"
)

// Tag returns an HTTP entity tag, with its quotes, for the octets of a file: another file has another tag, on every server. It is empty
// once a mapped file has changed: what is read while it is written to in place belongs to no version. The first call for a File reads all of it.
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

// changed reports whether the file at the path is another one by now, or the same with other octets, which is loaded in a moment.
func (f *File) changed() bool {
	st, err := os.Stat(f.path)
	return err != nil || idOf(st) != f.id
}
