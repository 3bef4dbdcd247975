package store

import (
	"hash/maphash"
	"math"
	"net/netip"
	"time"
)

// debts counts recent questions that found no device, by the networks that they came from. It is a count-min sketch: each network is
// counted in three places of a table of fixed size, and its debt is the least of the three, so that sharing a place with the network
// of a flood does no harm. Counts halve every debtHalf.
type debts struct {
	seed maphash.Seed
	rows [3][debtSlots]debt
}

type debt struct {
	count  uint16 // in units of 1/oneDebt; saturates
	period uint16
}

const (
	debtSlots = 1 << 18 // 3 MiB in all
	debtHalf  = 8 * time.Second
	oneDebt   = 16 // of one question: what a prefix may have waiting, or have asked in vain, before it is in debt
)

func newDebts() debts { return debts{seed: maphash.MakeSeed()} }

// networks is the number of networks that an address is counted in; see networksOf.
const networks = 4

// networksOf returns the hashes of an address's networks, from the narrowest: for IPv4 the address, its /24 and its /16; for IPv6 the
// /64, the /48, the /32, and last the address itself, which distinguishes hosts that share a /64.
func (d *debts) networksOf(ip netip.Addr) (nets [networks]uint64) {
	bits := [networks]int{32, 24, 16, 32}
	if ip = ip.WithZone(""); ip.Is6() {
		bits = [networks]int{64, 48, 32, 128}
	}
	var b [18]byte
	for i, n := range bits {
		if p, err := ip.Prefix(n); err == nil { // invalid addresses share a network of their own
			a := p.Addr().As16()
			copy(b[:], a[:])
		}
		b[16], b[17] = byte(n), byte(i/3)
		nets[i] = maphash.Bytes(d.seed, b[:])
	}
	return nets
}

// periodOf returns the number of the period of debtHalf that now is in.
func periodOf(now time.Time) uint16 { return uint16(now.UnixNano() / int64(debtHalf)) }

// setBack is the number of elapsed periods, modulo 2^16, from which the clock is assumed to have been set back, by nine hours at most:
// counts are not halved then. Below it are almost six days.
const setBack = 0xf000

// at halves the count of a place for the elapsed time, and returns the place.
func (d *debt) at(period uint16) *debt {
	if gone := period - d.period; gone != 0 {
		if gone < setBack {
			d.count >>= min(gone, 15)
		}
		d.period = period
	}
	return d
}

func (d *debts) places(net uint64) [3]*debt {
	return [3]*debt{&d.rows[0][net%debtSlots], &d.rows[1][net>>18%debtSlots], &d.rows[2][net>>36%debtSlots]}
}

// charge adds one question to the debts of the networks, and returns these.
func (d *debts) charge(nets *[networks]uint64, period uint16) (owed [networks]uint16) {
	for i, net := range nets {
		p := d.places(net)
		for _, place := range p {
			place.at(period)
			place.count += min(oneDebt, math.MaxUint16-place.count)
		}
		owed[i] = min(p[0].count, p[1].count, p[2].count)
	}
	return owed
}

// refund reverts a charge made in the period charged.
func (d *debts) refund(nets *[networks]uint64, charged, period uint16) {
	left := uint16(oneDebt) >> min(max(int16(period-charged), 0), 15)
	for _, net := range nets {
		for _, place := range d.places(net) {
			place.at(period)
			place.count -= min(place.count, left)
		}
	}
}
