package store

import (
	"errors"
	"fmt"
	"time"

	"dcs/render/attr"
)

// Config is what a Store is made of. What is 0 gets the value that is named here.
type Config struct {
	// Dir holds the Store's files, and is made if it does not exist. No other Store may use it at the same time.
	Dir string
	// Sources in the order in which they are believed: of an attribute, the first that has it counts.
	Sources []attr.Source
	// Now tells the time.
	Now func() time.Time
	// OnEvent is told of what an operator may want to know. It may be called by several
	// goroutines, and must not call the Store. Nil: nobody is told.
	OnEvent func(Event)

	Shrink     float64       // the part of its devices, and of an attribute's values, that a source may lose within a day: 0.2. 1: any. See guard.go
	RetryMin   time.Duration // between a failure and the next try: 1 s, doubled each time up to RetryMax
	RetryMax   time.Duration // 1 min
	Stall      time.Duration // how long a load may give nothing before it is given up: 5 min
	OpenWait   time.Duration // how long Open waits for sources of which no attributes are known: 10 s
	Publish    time.Duration // how long changes may be gathered: 50 ms
	Overlay    int           // changed devices above which the files are made anew: 65536
	Compact    time.Duration // age of a change at which they are, too: 5 min
	Memory     int           // octets that building a file may take: 64 MiB
	Askers     int           // devices that are asked for at once: 8
	AskQueue   int           // devices that may wait to be asked for: 4096; see fairQueue for which are dropped
	AskTimeout time.Duration // 5 s
	AskAgain   time.Duration // how long a device that no source knows is not asked for again: 30 s
	AskFresh   time.Duration // how long after it was asked for a device is asked for again, to learn of changes: 1 h
}

func (c *Config) defaults() error {
	if c.Dir == "" || c.Now == nil || len(c.Sources) == 0 {
		return errors.New("store: directory, clock and sources required")
	}
	seen := make(map[string]bool)
	for _, s := range c.Sources {
		if seen[s.Name()] {
			return fmt.Errorf("two sources of devices are called %s", s.Name())
		}
		seen[s.Name()] = true
	}
	if c.OnEvent == nil {
		c.OnEvent = func(Event) {}
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
	}{{&c.Overlay, 65536}, {&c.Memory, 64 << 20}, {&c.Askers, 8}, {&c.AskQueue, 4096}} {
		if *n.p == 0 {
			*n.p = n.v
		}
	}
	return nil
}

// minFleet is the least fleet that may not shrink at will, defaultShrink the part that others may lose.
const (
	minFleet      = 100
	defaultShrink = 0.2
)
