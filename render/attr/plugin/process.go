package plugin

import (
	"bufio"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"dcs/render/attr"
	"dcs/render/device"
)

// message is a line that a plug-in writes.
type message struct {
	Hello      *int     `json:"hello"`
	Attributes []string `json:"attributes"`
	List       bool     `json:"list"`
	Ask        bool     `json:"ask"`

	ID    *uint64          `json:"id"`
	Found *bool            `json:"found"`
	MAC   string           `json:"mac"`
	IP    string           `json:"ip"`
	Attrs map[string]value `json:"attrs"`
	Gone  bool             `json:"gone"`

	End     bool       `json:"end"`
	Count   *int       `json:"count"`
	Error   string     `json:"error"`
	Changed []*message `json:"changed"`
	Reload  bool       `json:"reload"`
}

// value is an attribute's: a string, a number as it is written, a boolean as 1 or 0, null
// as none.
type value struct {
	text string
	bad  bool // a list or an object
}

func (v *value) UnmarshalJSON(b []byte) error {
	v.text, v.bad = "", false
	switch b[0] {
	case '"':
		return json.Unmarshal(b, &v.text)
	case 't':
		v.text = "1"
	case 'f':
		v.text = "0"
	case 'n':
	case '[', '{':
		v.bad = true
	default:
		v.text = string(b)
	}
	return nil
}

// process is one life of a plug-in.
type process struct {
	cfg    *Config
	stdin  *os.File
	stdout *os.File
	queue  chan []byte   // lines for stdin
	hello  chan *message // the first line
	dead   chan struct{} // closed when err is set: it is of no use any more
	exited chan struct{} // closed when the process has been waited for
	quiet  chan struct{} // closed when nothing is read of it any more

	left        error // what could not be taken from it
	lists, asks bool  // what its hello says it can
	names       []string
	index       map[string]int // of names

	lines  atomic.Uint64 // that have come
	giving atomic.Bool   // the one who reads waits for the one who lists

	mu      sync.Mutex
	pid     int // of the process and its group; 0: it may be another's by now
	err     error
	next    uint64
	owed    map[uint64]chan *message // answers; nil: the one who asked has left
	items   chan *message            // of the list that runs
	changes []attr.Change
	reload  bool
	mute    bool // nothing is read of it any more
	garbage int
	strange map[string]bool // attributes that are not of the hello
	news    chan struct{}   // holds one while there may be changes
}

// spawn starts a process and writes hello to it.
func spawn(cfg *Config) (*process, error) {
	cmd := exec.Command(cfg.Argv[0], cfg.Argv[1:]...)
	cmd.Dir = cfg.Dir
	cmd.Env = []string{}
	for _, name := range []string{"PATH", "HOME", "LANG", "TZ"} {
		if v, set := os.LookupEnv(name); set && (name != "HOME" || cfg.Credential == nil) {
			cmd.Env = append(cmd.Env, name+"="+v)
		}
	}
	cmd.Env = append(cmd.Env, cfg.Env...)
	// A session and group of its own, so that its children end with it; and not without us.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGKILL}
	if c := cfg.Credential; c != nil && !Ours(c) { // to set even the groups that we have takes CAP_SETGID
		cmd.SysProcAttr.Credential = c
	}
	var ours, theirs [3]*os.File
	for i := range ours {
		r, w, err := os.Pipe()
		if err != nil {
			for j := range i {
				ours[j].Close()
				theirs[j].Close()
			}
			return nil, err
		}
		ours[i], theirs[i] = r, w
		if i == 0 {
			ours[i], theirs[i] = w, r
		}
	}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = theirs[0], theirs[1], theirs[2]
	p := &process{
		cfg: cfg, stdin: ours[0], stdout: ours[1], queue: make(chan []byte, maxOwed+2), hello: make(chan *message, 1),
		dead: make(chan struct{}), exited: make(chan struct{}), quiet: make(chan struct{}),
		owed: make(map[uint64]chan *message), strange: make(map[string]bool), news: make(chan struct{}, 1),
	}
	started := make(chan error)
	go func() {
		// The process gets its signal of our death when the thread ends that started it. That is not unlocked: what
		// confine changes of it goes with it.
		runtime.LockOSThread()
		err := confine(cfg.uid() == 0)
		var left *leftError
		if errors.As(err, &left) {
			p.left, err = left, nil
		}
		if err == nil {
			err = cmd.Start()
		}
		for _, f := range theirs {
			f.Close()
		}
		if err == nil {
			p.mu.Lock()
			p.pid = cmd.Process.Pid
			p.mu.Unlock()
		}
		started <- err
		if err == nil {
			p.wait(cmd)
		}
	}()
	if err := <-started; err != nil {
		for _, f := range ours {
			f.Close()
		}
		return nil, err
	}
	p.queue <- []byte("{\"hello\":1}\n")
	var reading sync.WaitGroup
	reading.Go(p.read)
	reading.Go(func() { p.complain(ours[2]) })
	go p.write()
	go func() {
		reading.Wait()
		close(p.quiet)
	}()
	go p.drain(ours[1], ours[2])
	return p, nil
}

// drain closes the pipes once the process has exited and all is read that it wrote. Someone
// who has left its group may still hold them open.
func (p *process) drain(pipes ...*os.File) {
	<-p.exited
	for last, over := p.lines.Load(), false; !over; {
		select {
		case <-p.quiet:
			over = true
		case <-time.After(grace):
			lines := p.lines.Load()
			over = lines == last && !p.giving.Load()
			last = lines
		}
	}
	for _, f := range pipes {
		f.Close()
	}
}

// wait waits for the process, and kills what it leaves behind of its group.
func (p *process) wait(cmd *exec.Cmd) {
	// Its number stays its own until Wait.
	for {
		err := unix.Waitid(unix.P_PID, cmd.Process.Pid, nil, unix.WEXITED|unix.WNOWAIT, nil)
		if !errors.Is(err, unix.EINTR) {
			break
		}
	}
	p.kill()
	p.mu.Lock()
	p.pid = 0
	err := cmd.Wait()
	p.mu.Unlock()
	close(p.exited)
	if err == nil {
		err = errors.New("exit status 0")
	}
	<-p.quiet // what it has written before is read first
	p.fail(fmt.Errorf("it has ended: %w", err))
}

func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.pid != 0 {
		_ = syscall.Kill(-p.pid, syscall.SIGKILL)
	}
}

// fail says why a process is of no use any more, and kills it.
func (p *process) fail(err error) {
	p.mu.Lock()
	if p.err == nil {
		p.err = err
		close(p.dead)
	}
	p.mu.Unlock()
	p.kill()
}

func (p *process) ended() bool {
	select {
	case <-p.dead:
		return true
	default:
		return false
	}
}

// why returns why it is dead.
func (p *process) why() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.err
}

// quit asks a process to end.
func (p *process) quit() { p.stdin.Close() }

// end waits until all of a process is gone; what has not ended after the given time is killed.
func (p *process) end(after time.Duration) {
	if after > 0 {
		select {
		case <-p.exited:
		case <-time.After(after):
		}
	}
	p.fail(errClosed)
	<-p.exited
	<-p.quiet
}

func (p *process) write() {
	go func() { // which ends a Write that blocks
		<-p.dead
		p.stdin.Close()
	}()
	for {
		select {
		case <-p.dead:
			return
		case line := <-p.queue:
			// A process that does not read is found out by the answers that it owes.
			if _, err := p.stdin.Write(line); err != nil {
				return // its end is told with a better reason
			}
		}
	}
}

// send gives a line to the writer.
func (p *process) send(ctx context.Context, line []byte) error {
	select {
	case p.queue <- line:
		return nil
	case <-p.dead:
		return p.why()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (p *process) read() {
	err := p.readLines()
	p.mu.Lock()
	items := p.items
	p.items, p.mute = nil, true
	p.mu.Unlock()
	if items != nil {
		close(items)
	}
	if err != nil {
		p.fail(err)
		return
	}
	// It ended, or goes on without its output.
	select {
	case <-p.exited:
	case <-time.After(grace):
		p.fail(errors.New("it has closed its output"))
	}
}

func (p *process) readLines() error {
	in := bufio.NewReaderSize(p.stdout, p.cfg.MaxLine)
	for first := true; ; first = false {
		line, err := in.ReadSlice('\n')
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			return fmt.Errorf("a line of more than %d octets: %s…", p.cfg.MaxLine, printable(string(line[:min(len(line), 60)])))
		case err != nil && len(line) == 0:
			return nil
		case err != nil: // cut off: it is no line
			err = fmt.Errorf("its last line has no end: %s", printable(string(line[:min(len(line), 60)])))
			return err
		}
		p.lines.Add(1)
		m := new(message)
		if err = json.Unmarshal(line, m); err != nil {
			err = fmt.Errorf("not JSON of the protocol: %w", err)
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
			return fmt.Errorf("line %d that is not of the protocol: %w", p.garbage, err)
		}
		if p.garbage <= maxTold {
			p.cfg.Warn(fmt.Errorf("%s: %w", p.cfg.Name, err))
		}
	}
}

// dispatch brings a line to who waits for it.
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
		return p.give(items, m)
	case m.MAC != "" || m.IP != "" || m.Attrs != nil:
		p.mu.Lock()
		items := p.items
		p.mu.Unlock()
		if items == nil {
			return errors.New("no list was asked for")
		}
		return p.give(items, m)
	}
	return errors.New("it says nothing")
}

func (p *process) give(items chan<- *message, m *message) error {
	p.giving.Store(true)
	defer p.giving.Store(false)
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

// meet notes what the hello says.
func (p *process) meet(m *message) error {
	p.lists, p.asks, p.names = m.List, m.Ask, append([]string{}, m.Attributes...)
	p.index = make(map[string]int, len(p.names))
	for i, n := range p.names {
		if _, dup := p.index[n]; dup || n == "" {
			return fmt.Errorf("hello: the attribute %s is named twice or empty", printable(n))
		}
		p.index[n] = i
	}
	return nil
}

// list asks for the list. The channel is closed if the process fails before the list's end.
func (p *process) list(ctx context.Context) (<-chan *message, error) {
	items := make(chan *message, 256)
	p.mu.Lock()
	busy, mute := p.items != nil, p.mute
	if !busy && !mute {
		p.items = items
	}
	p.mu.Unlock()
	switch {
	case mute:
		<-p.dead
		return nil, p.why()
	case busy:
		return nil, errors.New("a list is being read")
	}
	if err := p.send(ctx, []byte("{\"list\":true}\n")); err != nil {
		p.fail(err)
		return nil, err
	}
	return items, nil
}

// ask asks for one device.
func (p *process) ask(ctx context.Context, mac [6]byte, hasMAC bool, ip netip.Addr) (*message, error) {
	answer := make(chan *message, 1)
	p.mu.Lock()
	if len(p.owed) >= maxOwed {
		p.mu.Unlock()
		return nil, fmt.Errorf("it owes %d answers", maxOwed)
	}
	p.next++
	id := p.next
	p.owed[id] = answer
	p.mu.Unlock()

	line := append(make([]byte, 0, 128), `{"id":`...)
	line = strconv.AppendUint(line, id, 10)
	if hasMAC {
		line = append(line, `,"mac":"`...)
		for i, b := range mac {
			if i > 0 {
				line = append(line, ':')
			}
			line = hex.AppendEncode(line, []byte{b})
		}
		line = append(line, '"')
	}
	if ip.IsValid() {
		line = append(line, `,"ip":"`...)
		line = ip.Unmap().WithZone("").AppendTo(line)
		line = append(line, '"')
	}
	line = append(line, "}\n"...)
	before := p.lines.Load()
	// It outlives the call: one that never answers is found out although nobody waits so long.
	hung := time.AfterFunc(p.cfg.Timeout, func() {
		p.mu.Lock()
		_, owes := p.owed[id]
		delete(p.owed, id)
		p.mu.Unlock()
		if owes && p.lines.Load() == before {
			p.fail(fmt.Errorf("it owes an answer, and has said nothing for %v", p.cfg.Timeout))
		}
	})
	if err := p.send(ctx, line); err != nil {
		p.leave(id)
		return nil, err
	}
	select {
	case m := <-answer:
		hung.Stop()
		return m, nil
	case <-p.dead:
		return nil, p.why()
	case <-ctx.Done():
		p.leave(id)
		return nil, context.Cause(ctx)
	}
}

// leave notes that nobody waits for an answer any more.
func (p *process) leave(id uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, owes := p.owed[id]; owes {
		p.owed[id] = nil
	}
}

func (p *process) answer(m *message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, owed := p.owed[*m.ID]
	if !owed {
		if *m.ID > 0 && *m.ID <= p.next {
			return nil // later than Timeout
		}
		return fmt.Errorf("nothing was asked with the id %d", *m.ID)
	}
	delete(p.owed, *m.ID)
	if c != nil {
		c <- m
	}
	return nil
}

// change keeps changes for Follow.
func (p *process) change(m *message) error {
	if !p.cfg.Changes {
		return errors.New("it is not configured to tell of changes")
	}
	var bad error
	add := make([]attr.Change, 0, len(m.Changed))
	for _, c := range m.Changed {
		if c == nil {
			bad = errors.New("a change that is null")
			continue
		}
		ch := attr.Change{Gone: c.Gone}
		if err := p.device(c, &ch.Device); err != nil {
			bad = err
			continue
		}
		add = append(add, ch)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep(append(p.changes, add...), m.Reload)
	return bad
}

func (p *process) takeChanges() (changes []attr.Change, reload bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	changes, reload = p.changes, p.reload
	p.changes, p.reload = nil, false
	return changes, reload
}

// listed notes that the list is asked for. Changes from before stay: they are in the list as well, but that may be held back.
func (p *process) listed() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reload = false
}

// giveBack has what takeChanges returned be taken again, before what has come since.
func (p *process) giveBack(changes []attr.Change, reload bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keep(append(changes, p.changes...), reload)
}

// keep has changes taken next, or all loaded anew if they are too many; and with reload both. mu is held.
func (p *process) keep(changes []attr.Change, reload bool) {
	p.changes, p.reload = changes, p.reload || reload
	if len(p.changes) > maxChanges {
		p.changes, p.reload = nil, true
	}
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// device turns a message into d, whose Values are reused if there are any.
func (p *process) device(m *message, d *attr.Device) error {
	d.HasMAC, d.IP = false, netip.Addr{}
	if m.MAC != "" {
		mac, err := device.ParseMAC(m.MAC)
		if err != nil {
			return fmt.Errorf("%s is %w", printable(m.MAC), err)
		}
		d.MAC, d.HasMAC = mac, true
	}
	if m.IP != "" {
		ip, err := netip.ParseAddr(m.IP)
		if err != nil {
			return fmt.Errorf("%s is not an IP address", printable(m.IP))
		}
		d.IP = ip.Unmap().WithZone("")
	}
	if !d.HasMAC && !d.IP.IsValid() {
		return errors.New("a device with neither mac nor ip")
	}
	return p.values(m, d)
}

func (p *process) values(m *message, d *attr.Device) error {
	if d.Values == nil {
		d.Values = make([]string, len(p.index))
	}
	clear(d.Values)
	for n, v := range m.Attrs {
		if v.bad {
			return fmt.Errorf("the attribute %s is a list or an object", printable(n))
		}
		i, known := p.index[n]
		if !known {
			p.tellStrange(n)
			continue
		}
		d.Values[i] = v.text
	}
	return nil
}

func (p *process) tellStrange(name string) {
	p.mu.Lock()
	told := p.strange[name] || len(p.strange) >= maxTold
	if !told {
		p.strange[name] = true
	}
	p.mu.Unlock()
	if !told {
		p.cfg.Warn(fmt.Errorf("%s: the attribute %s is not one of those of its hello, and is left out", p.cfg.Name, printable(name)))
	}
}

// Lines of stderr that are passed on: so many at once, and then a second.
const (
	stderrBurst = 50
	stderrRate  = 10
	stderrLine  = 1024
)

// complain passes stderr on, within its rate.
func (p *process) complain(r io.Reader) {
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
