package skeleton

import (
	"encoding/hex"

	"dcs/render/mic"
	"dcs/render/syntax"
)

// writtenHash remembers where a file sets the hash object of an MTA itself.
func (c *compiler) writtenHash(st *syntax.Setting, octets []byte) {
	if c.t.Kind != MTAFile {
		return
	}
	if v := mic.HashObject(octets); v != mic.NoHash {
		c.written, c.writtenAt = v, st.Pos
	}
}

// hashed warns of a hash that the file has been given by hand and that is not its own, and of one whose module is not that of the
// file's other objects.
func (c *compiler) hashed() {
	if c.t.Kind != MTAFile || c.asIs || c.t.Item.Kind == syntax.Binary {
		return
	}
	fixed := !c.b.local && len(c.b.slots) == 0
	if fixed && c.hash != mic.NoHash {
		if why := c.hash.Unlike(c.b.base); why != "" {
			c.warnf(c.hashPos, "%s", why)
		}
	}
	if c.written == mic.NoHash || c.hash != mic.NoHash {
		return
	}
	const advice = "; delete it, and %s computes it"
	by := "hash " + c.written.String()
	if syntax.DialectOf(c.writtenAt.File) == syntax.Docsis {
		by = "dcs compile --mta-hash " + c.written.String() + " or, in a .dcs file, " + by
	}
	if !fixed {
		c.warnf(c.writtenAt, "the hash is written, and the file differs with the request"+advice, by)
		return
	}
	if r, err := mic.Verify(c.b.base, nil); err == nil && r.MTA.Verdict == mic.Invalid {
		c.warnf(c.writtenAt, "the hash is not the file's, which is %s"+advice, hex.EncodeToString(r.MTA.Want), by)
	}
}
