package store

import (
	"errors"
	"fmt"
	"time"

	"dcs/render/attr"
)

// Config configures a Store. Dir, Sources and Now are required; the zero value of others is the default given here.
type Config struct {
	// Dir is the directory of the Store's files. It is created if necessary, and must not be used by another Store.
	Dir string
	// Sources are the sources by priority: the first that has an attribute supplies it.
	Sources []attr.Source
	// Now returns the time.
	Now func() time.Time
	// OnEvent receives events for the operator. It may be called by several goroutines, and must not call the Store. It may be
	// nil.
	OnEvent func(Event)
	// Spare calls f, which loads, merges or verifies, in the CPU time that others leave. Nil: at once.
	Spare func(f func())

	Shrink     float64       // part of its devices, and of an attribute's values, that a source may lose within a day: 0.2; 1: any. See guard.go
	RetryMin   time.Duration // between a failure and the next attempt: 1 s, doubled each time up to RetryMax
	RetryMax   time.Duration // 1 min
	Stall      time.Duration // time without a device after which a load fails: 5 min
	OpenWait   time.Duration // how long Open waits for sources without known attributes: 10 s
	Publish    time.Duration // how long changes are batched: 50 ms
	Overlay    int           // changed devices above which files are written: 65536
	Small      int           // devices of a source below which a load writes its file, however little differs: 100,000
	Compact    time.Duration // age of a change at which files are written, if they have few devices: 5 min
	Memory     int           // octets for building a file: 64 MiB
	Askers     int           // concurrent look-ups in sources: 8
	AskQueue   int           // devices that may wait for a look-up: 4096; see fairQueue for which are dropped
	AskTimeout time.Duration // of one look-up: 5 s
	AskAgain   time.Duration // how long a device that no source has is not looked up again: 30 s
	AskFresh   time.Duration // interval of look-ups of a device that was found by one, to see changes: 1 h
}

func (c *Config) defaults() error {
	if c.Dir == "" || c.Now == nil || len(c.Sources) == 0 {
		return errors.New("store: directory, clock and sources required")
	}
	seen := make(map[string]bool)
	for _, s := range c.Sources {
		if seen[s.Name()] {
			return fmt.Errorf("duplicate device source %s", s.Name())
		}
		seen[s.Name()] = true
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
	}
	if c.Spare == nil {
		c.Spare = func(f func()) { f() }
	}
	if c.Shrink == 0 {
		c.Shrink = defaultShrink
	}
	for _, d := range []struct {
		p *time.Duration
		v time.Duration
	}{
		{&c.RetryMin, time.Second},
		{&c.RetryMax, time.Minute},
		{&c.Stall, 5 * time.Minute},
		{&c.OpenWait, 10 * time.Second},
		{&c.Publish, 50 * time.Millisecond},
		{&c.Compact, 5 * time.Minute},
		{&c.AskTimeout, 5 * time.Second},
		{&c.AskAgain, 30 * time.Second},
		{&c.AskFresh, time.Hour},
	} {
		if *d.p == 0 {
			*d.p = d.v
		}
	}
	for _, n := range []struct {
		p *int
		v int
	}{{&c.Overlay, 65536}, {&c.Small, 100_000}, {&c.Memory, 64 << 20}, {&c.Askers, 8}, {&c.AskQueue, 4096}} {
		if *n.p == 0 {
			*n.p = n.v
		}
	}
	return nil
}

// minFleet is the number of devices from which the limit of losses is a part of them, and defaultShrink that part.
const (
	minFleet      = 100
	defaultShrink = 0.2
)
