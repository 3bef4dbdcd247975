package plugin

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
	"time"
	"unicode"
)

// Lines of stderr that are passed on: so many at once, and then a second.
const (
	stderrBurst = 50
	stderrRate  = 10
	stderrLine  = 1024
)

// complain passes stderr on, within its rate.
func (p *process) forwardStderr(r io.Reader) {
	var tokens, dropped atomic.Int64
	tokens.Store(stderrBurst)
	told := func() {
		if n := dropped.Swap(0); n > 0 {
			p.cfg.Stderr(fmt.Sprintf("… %d lines more", n))
		}
	}
	defer told()
	done := make(chan struct{})
	var ticking sync.WaitGroup
	defer ticking.Wait()
	defer close(done)
	ticking.Go(func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				tokens.Store(min(tokens.Load()+stderrRate, stderrBurst))
				told()
			}
		}
	})
	in := bufio.NewReaderSize(r, stderrLine)
	for long := false; ; {
		line, more, err := in.ReadLine()
		if err != nil {
			return
		}
		begins := !long
		long = more
		switch {
		case !begins: // the rest of a line that was too long
		case tokens.Load() <= 0:
			dropped.Add(1)
		default:
			tokens.Add(-1)
			p.cfg.Stderr(printable(string(line)))
		}
	}
}

// printable takes out what would confuse a log.
func printable(s string) string {
	if len(s) > stderrLine {
		s = s[:stderrLine]
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) || r == '\t' {
			return r
		}
		return '\ufffd'
	}, strings.ToValidUTF8(s, "\ufffd"))
}
