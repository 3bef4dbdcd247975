package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"sync"
	"time"

	"dcs/bench/storm"
	"dcs/render/mic"
)

// Rejected returns how many modems were rejected, the time between the first and the last, and why the first was. Those that
// [CMTS.Late] counts are not included.
func (c *CMTS) Rejected() (count int, within time.Duration, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count, c.last.Sub(c.first), c.why
}

// Late returns how many modems with a file older than [Lab.Drain] were rejected.
func (c *CMTS) Late() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

// register registers a modem. A rotation guarantees that a file is valid for the drain time after it was signed, and no longer:
// if this process is so slow that a modem comes later, its rejection says nothing about the rotation. The server writes the time
// of signing into the file.
func (c *CMTS) register(file []byte, modem netip.Addr, drain time.Duration) {
	now := time.Now()
	err := c.RegisterOn(c.iface, file, modem, now)
	if err == nil {
		return
	}
	// After the CMTS has decided. The file's time is in whole seconds, and so never later than its signing.
	at, known := signed(file)
	age := time.Since(at)
	c.mu.Lock()
	defer c.mu.Unlock()
	if known && drain > 0 && age >= drain {
		c.late++
		return
	}
	if c.count == 0 {
		c.first = now
		c.why = fmt.Sprintf("%s at %s: modem %v, with a file signed at most %v before: %v", c.Name, now.Format("15:04:05.000"), modem, age.Round(time.Millisecond), err)
	}
	c.last = now
	c.count++
}

// signed returns the time in TLV 19, in whole seconds, if there is one.
func signed(file []byte) (at time.Time, known bool) {
	const epoch1900 = 2208988800 // the Unix epoch in seconds since 1900 (RFC 868)

	// The error does not matter: a damaged file has no time.
	_ = mic.Walk(file, func(off, hdr, end int, code uint8) bool {
		if known = code == 19 && end-off-hdr == 4; known {
			at = time.Unix(int64(binary.BigEndian.Uint32(file[off+hdr:end]))-epoch1900, 0)
		}
		return !known
	})
	return at, known
}

// Lag is the time from a modem's download to its registration.
const Lag = 500 * time.Millisecond

// arrival is a modem that will register.
type arrival struct {
	at    time.Time
	c     *CMTS
	modem netip.Addr
	file  []byte
}

// Modems has rate modems per second fetch files and register after [Lag], until the context ends.
func (l *Lab) Modems(ctx context.Context, rate float64) (*storm.Result, error) {
	cfg := storm.Default()
	cfg.Target = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(l.port))
	n := len(l.CMTS)
	cfg.Modems, cfg.Net = n*perCMTS, netip.MustParsePrefix("127.18.0.0/16")
	cfg.Backoff, cfg.Retries = []time.Duration{time.Second}, 8
	groups := min(n, 50)
	for g := range groups {
		share := (g+1)*n/groups - g*n/groups
		cfg.Groups = append(cfg.Groups, storm.Group{Modems: share * perCMTS, Rate: rate * float64(share) / float64(n), Duration: time.Hour})
	}
	arrivals := make(chan arrival, 1<<16)
	cfg.Verify = func(_ []byte, modem netip.Addr, body []byte) error {
		c := l.of(modem)
		if c == nil {
			return fmt.Errorf("%v is behind no CMTS", modem)
		}
		arrivals <- arrival{time.Now().Add(Lag), c, modem, bytes.Clone(body)}
		return nil
	}
	var registrar sync.WaitGroup
	registrar.Go(func() {
		for a := range arrivals {
			time.Sleep(time.Until(a.at))
			a.c.register(a.file, a.modem, l.Drain)
		}
	})
	res, err := storm.Run(ctx, cfg)
	close(arrivals)
	registrar.Wait()
	return res, err
}

// of returns the CMTS of a modem, or nil.
func (l *Lab) of(modem netip.Addr) *CMTS {
	for _, c := range l.CMTS {
		if c.Prefix.Contains(modem) {
			return c
		}
	}
	return nil
}
