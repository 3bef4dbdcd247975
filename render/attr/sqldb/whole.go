package sqldb

import (
	"context"
	"fmt"
	"hash/maphash"
	"time"

	"dcs/render/attr"
)

// digest tells one set of devices from another, in whatever order they come.
type digest struct {
	n   int
	sum uint64 // of the devices' hashes
}

// digester makes a digest.
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

// changed reads the whole query and tells whether it gives other devices than it gave to the last load, whether that was taken
// or not.
func (s *source) changed(ctx context.Context) (bool, error) {
	sums := newDigester(s.hash)
	err := s.rows(ctx, s.cfg.Query, nil, func(r *row) error {
		if r.gone() {
			return nil
		}
		if d, err := r.device(); err == nil { // the load tells of others
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

// ChangeDelay says how changes of the database are seen, if an operator had better know: "" if at once.
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

// interval returns how often all devices are read; 0: never.
func (c *Config) interval() time.Duration {
	switch {
	case c.Poll <= 0:
		return c.Reload
	case c.Reload <= 0:
		return c.Poll
	}
	return min(c.Poll, c.Reload)
}
