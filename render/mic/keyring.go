package mic

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Keyring maps modems to the shared secrets of their CMTSs: that of the longest prefix containing the modem's
// address, or the default. It is immutable and safe for concurrent use.
//
// The prefixes form a trie with a level for each octet of the address, expanded to whole octets. A lookup takes one
// load for each octet of the longest matching prefix, however many prefixes there are.
type Keyring struct {
	secrets []Secret   // by prefix; the first is the default, for all other addresses
	cmts    []uint32   // by prefix: the result of Behind
	slots   int        // number of distinct secrets
	four    []trieNode // IPv4; empty: no prefixes
	six     []trieNode
}

// trieNode has an entry for each value of an octet: the index of a prefix, or child plus the index of the node for
// the next octet.
type trieNode [256]uint32

const child = 1 << 31

// Prefix assigns a secret to the modems with these addresses, which are behind one CMTS.
type Prefix struct {
	Addresses netip.Prefix
	Secret    *Secret
	CMTS      string // name of the CMTS, shared by all its prefixes; empty: it has no other prefix
}

// NewKeyring returns a keyring with the secret def for all addresses outside prefixes. Equal pointers count as one
// secret. Errors: an invalid prefix, a duplicate prefix, a nil secret.
func NewKeyring(def *Secret, prefixes ...Prefix) (*Keyring, error) {
	if def == nil {
		return nil, errNoSecret
	}
	k := &Keyring{secrets: []Secret{{states: def.states}}, cmts: []uint32{0}}
	slots := map[*Secret]int{def: 0}
	seen := make(map[netip.Prefix]bool, len(prefixes))
	// From the shortest to the longest, so that a longer prefix overwrites part of the one containing it.
	byLength := make([][]Prefix, 129)
	for _, p := range prefixes {
		switch {
		case !p.Addresses.IsValid():
			return nil, errors.New("mic: a prefix of a keyring is not valid")
		case p.Addresses.Addr().Is4In6():
			return nil, fmt.Errorf("mic: %v: an IPv4 prefix is written as one", p.Addresses)
		case p.Secret == nil:
			return nil, fmt.Errorf("%w: %v", errNoSecret, p.Addresses)
		}
		p.Addresses = p.Addresses.Masked()
		if seen[p.Addresses] {
			return nil, fmt.Errorf("mic: duplicate prefix %v", p.Addresses)
		}
		seen[p.Addresses] = true
		byLength[p.Addresses.Bits()] = append(byLength[p.Addresses.Bits()], p)
	}
	for _, same := range byLength {
		for _, p := range same {
			slot, ok := slots[p.Secret]
			if !ok {
				slot = len(slots)
				slots[p.Secret] = slot
			}
			index := uint32(len(k.secrets))
			k.secrets = append(k.secrets, Secret{states: p.Secret.states, slot: slot})
			k.cmts = append(k.cmts, p.holder())
			trie := &k.six
			if p.Addresses.Addr().Is4() {
				trie = &k.four
			}
			if len(*trie) == 0 {
				*trie = make([]trieNode, 1)
			}
			insert(trie, p.Addresses, index)
		}
	}
	k.slots = len(slots)
	return k, nil
}

// holder returns a nonzero number for the CMTS, the same in every keyring.
func (p *Prefix) holder() uint32 {
	name := "cmts " + p.CMTS
	if p.CMTS == "" {
		name = "prefix " + p.Addresses.String()
	}
	return uint32(xxhash.Sum64String(name)>>32) | 1
}

// KeyringOf returns a keyring with the secret s for all addresses.
func KeyringOf(s *Secret) *Keyring {
	return &Keyring{secrets: []Secret{{states: s.states}}, cmts: []uint32{0}, slots: 1}
}

func insert(trie *[]trieNode, p netip.Prefix, index uint32) {
	addr, bits, at := p.Addr().AsSlice(), p.Bits(), uint32(0)
	for ; bits > 8; bits -= 8 {
		entry := (*trie)[at][addr[0]]
		if entry&child == 0 {
			var n trieNode
			for i := range n {
				n[i] = entry
			}
			*trie = append(*trie, n)
			(*trie)[at][addr[0]] = child | uint32(len(*trie)-1)
		}
		at = (*trie)[at][addr[0]] &^ child
		addr = addr[1:]
	}
	first := int(addr[0])
	for i := range 1 << (8 - bits) {
		(*trie)[at][first+i] = index
	}
}

// Secret returns the secret for the modem at addr, which must not be an IPv4-mapped address. It does not allocate.
func (k *Keyring) Secret(addr netip.Addr) *Secret { return &k.secrets[k.prefix(addr)] }

// Behind returns a number for the CMTS of the modem at addr, 0 if the keyring does not know it. A CMTS has the same
// number in every keyring that knows it; two of them share a number with a probability of 2⁻³¹. It does not allocate.
func (k *Keyring) Behind(addr netip.Addr) uint32 { return k.cmts[k.prefix(addr)] }

// prefix returns the index of the longest prefix containing addr, 0 if there is none.
func (k *Keyring) prefix(addr netip.Addr) uint32 {
	switch {
	case addr.Is4():
		if len(k.four) > 0 {
			a := addr.As4()
			return find(k.four, a[:])
		}
	case len(k.six) > 0:
		a := addr.As16()
		return find(k.six, a[:])
	}
	return 0
}

func find(trie []trieNode, addr []byte) uint32 {
	at := uint32(0)
	for _, octet := range addr {
		entry := trie[at][octet]
		if entry&child == 0 {
			return entry
		}
		at = entry &^ child
	}
	return 0 // cannot happen: the last octet's node has no children
}

// Len returns the number of distinct secrets. Their Slots are less than Len.
func (k *Keyring) Len() int { return k.slots }

// Prefixes returns the number of prefixes.
func (k *Keyring) Prefixes() int { return len(k.secrets) - 1 }

// Format prints the number of secrets for every verb.
func (k *Keyring) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%d secrets]", k.slots) }
