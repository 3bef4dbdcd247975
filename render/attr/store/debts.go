package store

import (
	"hash/maphash"
	"math"
	"net/netip"
	"time"
)

// debts counts, by the networks that questions come from, how many were asked of late that found no device. Each network
// is counted in three places of a table of fixed size and is taken to owe the least count, so that one that shares a place with
// a flooder's does not pay for it (a count-min sketch). Counts halve every debtHalf.
type debts struct {
	seed maphash.Seed
	rows [3][debtSlots]debt
}

type debt struct {
	count  uint16 // in units of 1/oneDebt; it stops at the greatest
	period uint16
}

const (
	debtSlots = 1 << 18 // 3 MiB in all
	debtHalf  = 8 * time.Second
	oneDebt   = 16 // a question: what a prefix may have waiting, or for nothing of late, before it is in debt
)

func newDebts() debts { return debts{seed: maphash.MakeSeed()} }

// networks is how many networks an asker is counted in: see networksOf.
const networks = 4

// networksOf returns the hashes of the networks that an address is in, from the narrowest: of IPv4 itself, its /24 and its
// /16; of IPv6 the /64, the /48, the /32, and last the address itself, which tells apart those that share a /64.
func (d *debts) networksOf(ip netip.Addr) (nets [networks]uint64) {
	bits := [networks]int{32, 24, 16, 32}
	if ip = ip.WithZone(""); ip.Is6() {
		bits = [networks]int{64, 48, 32, 128}
	}
	var b [18]byte
	for i, n := range bits {
		if p, err := ip.Prefix(n); err == nil { // one that is not valid is in a network of its own
			a := p.Addr().As16()
			copy(b[:], a[:])
		}
		b[16], b[17] = byte(n), byte(i/3)
		nets[i] = maphash.Bytes(d.seed, b[:])
	}
	return nets
}

// periodOf counts the time by which debts halve.
func periodOf(now time.Time) uint16 { return uint16(now.UnixNano() / int64(debtHalf)) }

// setBack and what is above it are periods that have not gone: a clock that was set back, by nine hours at most, halves nothing.
// Below are almost six days.
const setBack = 0xf000

// at returns what a place holds, halved for the time that has passed.
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

// charge adds one to what each of the networks owes, and returns that.
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

// refund takes back what was charged in a period.
func (d *debts) refund(nets *[networks]uint64, charged, period uint16) {
	left := uint16(oneDebt) >> min(max(int16(period-charged), 0), 15)
	for _, net := range nets {
		for _, place := range d.places(net) {
			place.at(period)
			place.count -= min(place.count, left)
		}
	}
}
