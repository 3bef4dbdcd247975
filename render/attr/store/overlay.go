package store

import (
	"encoding/binary"
	"net/netip"

	"dcs/render/attr"
	"dcs/render/device"
)

// entry is a device that has changed. It is immutable.
type entry struct {
	mac    device.MAC
	ip     netip.Addr
	gone   bool
	unsure bool // its data in a source's file could not be read
	values attr.Record
}

// answer returns the values for a query.
func (e *entry) answer(q *attr.Query) attr.Record {
	if q.Peek {
		return q.Values[:0]
	}
	return append(q.Values[:0], e.values...)
}

// addr returns the device's IP address, if any.
func (e *entry) addr() netip.Addr {
	if e.gone {
		return netip.Addr{}
	}
	return e.ip
}

// has reports whether a device that a file has at ip still has that address.
func (e *entry) has(ip netip.Addr) bool { return !e.gone && e.ip == ip }

// overlay is an immutable hash table of devices that have changed. with returns a new one that shares unchanged buckets.
type overlay struct {
	macs, ips overlayTable
	n         int // entries
}

// buckets is large enough that buckets remain short when the overlay is full.
const buckets = 4096

type overlayTable [buckets]*bucket

type bucket struct {
	keys    []uint64 // hashes of the entries' keys
	entries []*entry
}

func macKey(mac device.MAC) uint64 {
	x := uint64(binary.BigEndian.Uint32(mac[:]))<<16 | uint64(binary.BigEndian.Uint16(mac[4:]))
	return mix(x + 1)
}

// ipKey hashes an address that is unmapped.
func ipKey(ip netip.Addr) uint64 {
	a := ip.As16()
	return mix(mix(binary.BigEndian.Uint64(a[:])+1) ^ binary.BigEndian.Uint64(a[8:]))
}

// mix is the finalizer of MurmurHash3.
func mix(x uint64) uint64 {
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

func (o *overlay) byMAC(mac device.MAC) *entry {
	k := macKey(mac)
	if b := o.macs[k%buckets]; b != nil {
		for i, key := range b.keys {
			if key == k && b.entries[i].mac == mac {
				return b.entries[i]
			}
		}
	}
	return nil
}

func (o *overlay) byIP(ip netip.Addr) *entry {
	k := ipKey(ip)
	if b := o.ips[k%buckets]; b != nil {
		for i, key := range b.keys {
			if key == k && b.entries[i].ip == ip {
				return b.entries[i]
			}
		}
	}
	return nil
}

// with returns an overlay with the given entries, by MAC address and by IP address, added. o may be nil.
func (o *overlay) with(macs, ips []*entry) *overlay {
	next := new(overlay)
	if o != nil {
		*next = *o
	}
	fresh := make(map[*bucket]bool) // buckets that are not shared yet
	put := func(t *overlayTable, k uint64, e *entry, same func(*entry) bool) {
		b := t[k%buckets]
		if !fresh[b] {
			c := new(bucket)
			if b != nil {
				c.keys = append(c.keys, b.keys...)
				c.entries = append(c.entries, b.entries...)
			}
			b = c
			fresh[b] = true
			t[k%buckets] = b
		}
		for i, key := range b.keys {
			if key == k && same(b.entries[i]) {
				b.entries[i] = e
				return
			}
		}
		b.keys = append(b.keys, k)
		b.entries = append(b.entries, e)
		next.n++
	}
	for _, e := range macs {
		put(&next.macs, macKey(e.mac), e, func(old *entry) bool { return old.mac == e.mac })
	}
	for _, e := range ips {
		put(&next.ips, ipKey(e.ip), e, func(old *entry) bool { return old.ip == e.ip })
	}
	return next
}
