package mic

import (
	"errors"
	"fmt"
	"net/netip"

	"github.com/cespare/xxhash/v2"
)

// Keyring says which secret the CMTS shares that a modem stands behind: that of the longest prefix that holds the modem's
// address, or the default. It is immutable and safe for concurrent use.
//
// The prefixes are a trie with a level for each octet of the address, prefixes expanded to whole octets: as many steps
// as the longest prefix around an address has octets, one load each, whatever their number.
type Keyring struct {
	secrets []Secret   // by prefix; the default, of addresses outside of all, is the first
	cmts    []uint32   // of each prefix: what Behind returns
	slots   int        // secrets that are different
	four    []trieNode // IPv4; empty: no prefixes
	six     []trieNode
}

// trieNode has an entry for each value of one octet: the index of a prefix, or child and the index of the node for the next octet.
type trieNode [256]uint32

const child = 1 << 31

// Prefix says that the modems with these addresses stand behind a CMTS that holds Secret.
type Prefix struct {
	Addresses netip.Prefix
	Secret    *Secret
	CMTS      string // its name, which its prefixes have in common; empty: this is its only one
}

// NewKeyring returns a keyring in which all addresses outside of prefixes have the secret def. A secret that stands there
// several times is one secret if it is the same pointer. Errors: a prefix that is invalid, or the same prefix twice; no secret.
func NewKeyring(def *Secret, prefixes ...Prefix) (*Keyring, error) {
	if def == nil {
		return nil, errNoSecret
	}
	k := &Keyring{secrets: []Secret{{states: def.states}}, cmts: []uint32{0}}
	slots := map[*Secret]int{def: 0}
	seen := make(map[netip.Prefix]bool, len(prefixes))
	// From the shortest to the longest, so that a longer one overwrites a part of what holds it.
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

// holder returns a number for the CMTS, the same in each keyring that knows it, and not 0.
func (p *Prefix) holder() uint32 {
	name := "cmts " + p.CMTS
	if p.CMTS == "" {
		name = "prefix " + p.Addresses.String()
	}
	return uint32(xxhash.Sum64String(name)>>32) | 1
}

// KeyringOf returns a keyring with one secret for all.
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

// Secret returns the secret for the modem at addr; an IPv4 address must be in its own form. It does not allocate.
func (k *Keyring) Secret(addr netip.Addr) *Secret { return &k.secrets[k.prefix(addr)] }

// Behind returns a number for the CMTS that the modem at addr stands behind, 0 if that is none that the keyring knows. A CMTS
// keeps its number from one keyring to the next; that two have the same is as likely as one in 2³¹. It does not allocate.
func (k *Keyring) Behind(addr netip.Addr) uint32 { return k.cmts[k.prefix(addr)] }

// prefix returns the index of the longest prefix that holds addr; 0: none does.
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
	return 0 // cannot be: the last octet's node has no children
}

// Len returns how many secrets there are; their Slots are below it.
func (k *Keyring) Len() int { return k.slots }

// Prefixes returns how many there are.
func (k *Keyring) Prefixes() int { return len(k.secrets) - 1 }

// Format prints the number of secrets, for every verb.
func (k *Keyring) Format(f fmt.State, _ rune) { fmt.Fprintf(f, "[%d secrets]", k.slots) }
