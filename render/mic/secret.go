package mic

import (
	"dcs/render/md5x"
	"dcs/render/secret"
)

// Secret is a shared secret as HMAC-MD5 needs it (RFC 2104): the states after the inner and the outer key block. It is
// immutable, safe for concurrent use, and prints as [secret], whatever prints it.
type Secret struct {
	secret.Redacted

	// Behind two pointers: fmt does not ask an unexported field of somebody else's struct for its methods, and follows
	// one pointer (to a struct, at the top and after a verb that does not fit), but never a pointer to a pointer.
	states **states
	slot   int
}

type states struct{ inner, outer md5x.State }

// NewSecret returns the secret with this key. The key may be empty; one longer than 64 octets is hashed first, as RFC
// 2104, section 2 has it. The key is not kept.
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

// Outer returns the MD5 state after the outer key block. Nobody may change it.
func (s *Secret) Outer() *md5x.State { return &(*s.states).outer }

// Slot returns the secret's number in its Keyring, 0 for one that NewSecret has made.
func (s *Secret) Slot() int { return s.slot }

// Same tells whether both are the same secret, one of them or both perhaps out of Keyrings. Secrets that were made apart are not the
// same, even of the same key.
func (s *Secret) Same(t *Secret) bool { return s.states == t.states }

// Equal tells whether both have the same key (or keys that HMAC-MD5 takes for the same).
func (s *Secret) Equal(t *Secret) bool { return **s.states == **t.states }

// finish returns the HMAC of what inner, started from Inner, has absorbed.
func (s *Secret) finish(inner *md5x.Digest) [md5x.Size]byte {
	sum := inner.Sum()
	return (*s.states).outer.Sum(sum[:])
}
