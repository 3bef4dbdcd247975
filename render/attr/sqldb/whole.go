package sqldb

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"dcs/render/attr"
)

// digest identifies a set of devices, independent of their order.
type digest struct {
	n   int
	sum uint64 // of the devices' hashes
}

// digester computes a digest.
type digester struct {
	digest
	hash maphash.Hash
}

func newDigester(seed maphash.Seed) *digester {
	d := new(digester)
	d.hash.SetSeed(seed)
	return d
}

func (g *digester) add(d *attr.Device) {
	h := &g.hash
	h.Reset()
	if !d.MAC.IsZero() {
		h.Write(d.MAC[:])
	}
	ip := d.IP.As16()
	h.WriteByte(byte(d.IP.BitLen()))
	h.Write(ip[:])
	for _, v := range d.Values {
		h.WriteString(v)
		h.WriteByte(0xff)
	}
	g.n++
	g.sum += h.Sum64()
}

// changed runs Query, and reports whether it returns other devices than for the last load, accepted or not.
func (s *source) changed(ctx context.Context) (bool, error) {
	sums := newDigester(s.hash)
	err := s.rows(ctx, s.cfg.Query, nil, func(r *row) error {
		if r.gone() {
			return nil
		}
		if d, err := r.device(); err == nil { // the load reports the others
			sums.add(d)
		}
		return nil
	})
	if err != nil {
		return false, s.wrap("poll", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return sums.digest != s.digest, nil
}

// ChangeDelay returns a warning about changes in the database that are not seen at once; "": they are.
func (c *Config) ChangeDelay() string {
	const set = "set changed_query"
	switch every := c.interval(); {
	case c.ChangedQuery != "" || c.Channel != "":
		return ""
	case every == 0:
		return "changes in the database are seen only at a start, at SIGHUP and by dcs devices reload; " + set + ", or poll to have the whole query compared"
	default:
		return fmt.Sprintf("changes in the database are seen only every %v, by reading the whole query; "+set+" to see them within a second", every)
	}
}

// interval returns the interval at which all devices are read; 0: never.
func (c *Config) interval() time.Duration {
	switch {
	case c.Poll <= 0:
		return c.Reload
	case c.Reload <= 0:
		return c.Poll
	}
	return min(c.Poll, c.Reload)
}
