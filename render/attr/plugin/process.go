package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"dcs/render/attr"
	"dcs/render/device"
)

// process is one run of the plug-in.
type process struct {
	cfg     *Config
	stdin   *os.File
	stdout  *os.File
	queue   chan []byte   // lines for stdin
	hello   chan *message // the first line
	dead    chan struct{} // closed when err is set: it is of no use any more
	exited  chan struct{} // closed when the process has been waited for
	drained chan struct{} // closed when nothing is read of it any more

	leftCaps    error // what could not be taken from it
	lists, asks bool  // what its hello says it can
	names       []string
	index       map[string]int // of names

	lines      atomic.Uint64 // that have come
	delivering atomic.Bool   // the one who reads waits for the one who lists

	mu      sync.Mutex
	pid     int // of the process and its group; 0: it may be another's by now
	err     error
	next    uint64
	pending map[uint64]chan *message // answers; nil: the one who asked has left
	items   chan *message            // of the list that runs
	changes []attr.Change
	reload  bool
	unread  bool // nothing is read of it any more
	garbage int
	unknown map[string]bool // attributes that are not of the hello
	news    chan struct{}   // holds one while there may be changes
}

func (p *process) write() {
	go func() { // ends a blocked Write
		<-p.dead
		p.stdin.Close()
	}()
	for {
		select {
		case <-p.dead:
			return
		case line := <-p.queue:
			// A process that does not read is detected by its missing answers.
			if _, err := p.stdin.Write(line); err != nil {
				return // wait reports a better reason
			}
		}
	}
}

// send queues a line for the writer.
func (p *process) send(ctx context.Context, line []byte) error {
	select {
	case p.queue <- line:
		return nil
	case <-p.dead:
		return p.cause()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *process) read() {
	err := p.readLines()
	p.mu.Lock()
	items := p.items
	p.items, p.unread = nil, true
	p.mu.Unlock()
	if items != nil {
		close(items)
	}
	if err != nil {
		p.fail(err)
		return
	}
	// It has ended, or continues without output.
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.fail(errors.New("output closed"))
	}
}

func (p *process) readLines() error {
	in := bufio.NewReaderSize(p.stdout, p.cfg.MaxLine)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("line longer than %d octets: %s…", p.cfg.MaxLine, printable(string(line[:min(len(line), 60)])))
		case err != nil && len(line) == 0:
			return nil
		case err != nil:
			err = fmt.Errorf("incomplete last line: %s", printable(string(line[:min(len(line), 60)])))
			return err
		}
		p.lines.Add(1)
		m := new(message)
		if err = json.Unmarshal(line, m); err != nil {
			err = fmt.Errorf("not JSON as of the protocol: %w", err)
		} else {
			err = p.dispatch(m, first)
		}
		if err == nil {
			continue
		}
		if errors.Is(err, errClosed) {
			return nil
		}
		err = fmt.Errorf("%w, in: %s", err, printable(string(line[:min(len(line)-1, 120)])))
		if first {
			return err
		}
		p.garbage++
		if p.garbage > max(p.cfg.MaxGarbage, 0) {
			return fmt.Errorf("%d invalid lines; the last: %w", p.garbage, err)
		}
		if p.garbage <= maxReported {
			p.cfg.Warn(fmt.Errorf("%s: %w", p.cfg.Name, err))
		}
	}
}

// dispatch delivers a message to its receiver.
func (p *process) dispatch(m *message, first bool) error {
	if first {
		if m.Hello == nil || *m.Hello != 1 {
			return errors.New(`the first line is not {"hello":1,…}`)
		}
		p.hello <- m
		return nil
	}
	switch {
	case m.ID != nil:
		return p.answer(m)
	case m.Changed != nil || m.Reload:
		return p.change(m)
	case m.End || m.Error != "":
		p.mu.Lock()
		items := p.items
		p.items = nil
		p.mu.Unlock()
		if items == nil {
			return errors.New("no list was asked for")
		}
		return p.deliver(items, m)
	case m.MAC != "" || m.IP != "" || m.Attrs != nil:
		p.mu.Lock()
		items := p.items
		p.mu.Unlock()
		if items == nil {
			return errors.New("no list was asked for")
		}
		return p.deliver(items, m)
	}
	return errors.New("message without content")
}

func (p *process) deliver(items chan<- *message, m *message) error {
	p.delivering.Store(true)
	defer p.delivering.Store(false)
	select {
	case items <- m:
		return nil
	case <-p.dead:
		close(items)
		p.mu.Lock()
		p.items = nil
		p.mu.Unlock()
		return errClosed
	}
}

// applyHello stores what the hello says.
func (p *process) applyHello(m *message) error {
	p.lists, p.asks, p.names = m.List, m.Ask, append([]string{}, m.Attributes...)
	p.index = make(map[string]int, len(p.names))
	for i, n := range p.names {
		if _, dup := p.index[n]; dup || n == "" {
			return fmt.Errorf("hello: attribute %s is empty or not unique", printable(n))
		}
		p.index[n] = i
	}
	return nil
}

// list requests the list. The channel is closed if the process fails before the end of the list.
func (p *process) list(ctx context.Context) (<-chan *message, error) {
	items := make(chan *message, 256)
	p.mu.Lock()
	busy, mute := p.items != nil, p.unread
	if !busy && !mute {
		p.items = items
	}
	p.mu.Unlock()
	switch {
	case mute:
		<-p.dead
		return nil, p.cause()
	case busy:
		return nil, errors.New("a list is being read already")
	}
	if err := p.send(ctx, []byte("{\"list\":true}\n")); err != nil {
		p.fail(err)
		return nil, err
	}
	return items, nil
}

// ask looks up one device.
func (p *process) ask(ctx context.Context, mac device.MAC, ip netip.Addr) (*message, error) {
	answer := make(chan *message, 1)
	p.mu.Lock()
	if len(p.pending) >= maxPending {
		p.mu.Unlock()
		return nil, fmt.Errorf("%d answers are pending", maxPending)
	}
	p.next++
	id := p.next
	p.pending[id] = answer
	p.mu.Unlock()

	line := append(make([]byte, 0, 128), `{"id":`...)
	line = strconv.AppendUint(line, id, 10)
	if !mac.IsZero() {
		line = mac.AppendTo(append(line, `,"mac":"`...))
		line = append(line, '"')
	}
	if ip.IsValid() {
		line = append(line, `,"ip":"`...)
		line = ip.Unmap().WithZone("").AppendTo(line)
		line = append(line, '"')
	}
	line = append(line, "}\n"...)
	before := p.lines.Load()
	// The timer outlives the call: a process that never answers is detected even if callers wait less long.
	hung := time.AfterFunc(p.cfg.Timeout, func() {
		p.mu.Lock()
		_, pending := p.pending[id]
		delete(p.pending, id)
		p.mu.Unlock()
		if pending && p.lines.Load() == before {
			p.fail(fmt.Errorf("no answer and no output for %v", p.cfg.Timeout))
		}
	})
	if err := p.send(ctx, line); err != nil {
		p.abandon(id)
		return nil, err
	}
	select {
	case m := <-answer:
		hung.Stop()
		return m, nil
	case <-p.dead:
		return nil, p.cause()
	case <-ctx.Done():
		p.abandon(id)
		return nil, context.Cause(ctx)
	}
}

// abandon records that nobody waits for an answer any more.
func (p *process) abandon(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, pending := p.pending[id]; pending {
		p.pending[id] = nil
	}
}

func (p *process) answer(m *message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, pending := p.pending[*m.ID]
	if !pending {
		if *m.ID > 0 && *m.ID <= p.next {
			return nil // after Timeout
		}
		return fmt.Errorf("answer to unknown id %d", *m.ID)
	}
	delete(p.pending, *m.ID)
	if c != nil {
		c <- m
	}
	return nil
}
