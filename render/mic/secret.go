package mic

import (
	"dcs/render/md5x"
	"dcs/render/secret"
)

// Secret is a shared secret prepared for HMAC-MD5 (RFC 2104): the states after the inner and the outer key block. It
// is immutable, safe for concurrent use, and always prints as [secret].
type Secret struct {
	secret.Redacted

	// Two pointers, because fmt does not call the methods of an unexported field in another package's struct. It
	// follows one pointer (to a struct, at the top level and after a verb that does not fit), but never a pointer to
	// a pointer.
	states **states
	slot   int
}

type states struct{ inner, outer md5x.State }

// NewSecret returns the secret with this key. The key may be empty; one longer than 64 octets is hashed first (RFC
// 2104, section 2). NewSecret does not retain key.
func NewSecret(key []byte) *Secret {
	var hashed [md5x.Size]byte
	if len(key) > md5x.BlockSize {
		hashed = md5x.New().Sum(key)
		key = hashed[:]
	}
	var inner, outer [md5x.BlockSize]byte
	copy(inner[:], key)
	copy(outer[:], key)
	for i := range inner {
		inner[i] ^= 0x36
		outer[i] ^= 0x5c
	}
	st := &states{md5x.New(), md5x.New()}
	st.inner.Blocks(inner[:])
	st.outer.Blocks(outer[:])
	return &Secret{states: &st}
}

// Inner returns the MD5 state after the inner key block: the HMAC of a message m is Outer().Sum(Inner().Sum(m)).
func (s *Secret) Inner() md5x.State { return (*s.states).inner }

// Outer returns the MD5 state after the outer key block. It must not be modified.
func (s *Secret) Outer() *md5x.State { return &(*s.states).outer }

// Slot returns the secret's number in its Keyring, 0 for one from NewSecret.
func (s *Secret) Slot() int { return s.slot }

// Same reports whether s and t are from one call of NewSecret; either may be from a Keyring. Secrets created
// separately differ, even with the same key.
func (s *Secret) Same(t *Secret) bool { return s.states == t.states }

// Equal reports whether both have the same key (or keys that are equivalent in HMAC-MD5).
func (s *Secret) Equal(t *Secret) bool { return **s.states == **t.states }

// finish returns the HMAC of the message written to inner, which was started from Inner.
func (s *Secret) finish(inner *md5x.Digest) [md5x.Size]byte {
	sum := inner.Sum()
	return (*s.states).outer.Sum(sum[:])
}
