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

// Limits of forwarded stderr: lines at once, lines a second, octets of a line.
const (
	stderrBurst = 50
	stderrRate  = 10
	stderrLine  = 1024
)

// forwardStderr passes the plug-in's stderr on, within its rate.
func (p *process) forwardStderr(r io.Reader) {
	var tokens, dropped atomic.Int64
	tokens.Store(stderrBurst)
	reportDropped := func() {
		if n := dropped.Swap(0); n > 0 {
			p.cfg.Stderr(fmt.Sprintf("… %d more lines", n))
		}
	}
	defer reportDropped()
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
				reportDropped()
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

// printable cuts s to the length of a line, and replaces characters that are not printable.
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
