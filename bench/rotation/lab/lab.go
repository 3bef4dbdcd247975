// Package lab is a plant for rotations of shared secrets: simulated CMTSes, a dcs that signs for their modems, and modems
// that fetch files and register all the while.
package lab

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"dcs/bench/cmts"
	"dcs/bench/storm"
	"dcs/render/mic"
)

// Kind is one sort of CMTS of the plant.
type Kind uint8

// Sorts. The first three have two slots, the others one.
const (
	Cisco Kind = iota
	C4
	C3
	BSR
	SmallC3
)

// CMTS is one of the plant.
type CMTS struct {
	*cmts.CMTS
	Name   string
	Kind   Kind
	Slots  int
	Prefix netip.Prefix // of its modems

	iface string
	mu    sync.Mutex
	first time.Time // a modem was rejected, first and last
	last  time.Time
	count int
	why   string
	late  int
}

// Rejected returns how many modems were rejected, within what time, and why the first was. Those that Late counts are not
// among them.
func (c *CMTS) Rejected() (count int, within time.Duration, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.count, c.last.Sub(c.first), c.why
}

// Late returns how many modems were rejected that came with a file older than the Lab's Drain.
func (c *CMTS) Late() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.late
}

// register has the CMTS judge a modem. A rotation promises that a file is good for the drain time from its signing on, and
// no longer: when the machine is too busy for this process to come to a modem in that time, its rejection says nothing
// of the rotation. The server writes the time of signing into the file.
func (c *CMTS) register(file []byte, modem netip.Addr, drain time.Duration) {
	now := time.Now()
	err := c.RegisterOn(c.iface, file, modem, now)
	if err == nil {
		return
	}
	// Looked at after the CMTS has judged. The file's time is in whole seconds, and so never later than its signing.
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
		c.why = fmt.Sprintf("%s at %s: modem %v, with a file signed %v before or later: %v", c.Name, now.Format("15:04:05.000"), modem, age.Round(time.Millisecond), err)
	}
	c.last = now
	c.count++
}

// signed returns the time that TLV 19 gives, in whole seconds, if there is one.
func signed(file []byte) (at time.Time, known bool) {
	const epoch1900 = 2208988800 // the Unix epoch in seconds since 1900 (RFC 868)

	// A damaged file has no time.
	_ = mic.Walk(file, func(off, hdr, end int, code uint8) bool {
		if known = code == 19 && end-off-hdr == 4; known {
			at = time.Unix(int64(binary.BigEndian.Uint32(file[off+hdr:end]))-epoch1900, 0)
		}
		return !known
	})
	return at, known
}

// perCMTS is how many modems a CMTS has. They are few, as the load goes through them one after another: so each
// CMTS has one of its modems often.
const perCMTS = 16

// Texts that must not appear anywhere. They are unlike any word.
const (
	Password  = "zqLOGIN-3317-rtk"
	Enable    = "zqENABLE-5526-wpl"
	Community = "zqCOMMUNITY-6071"
	First     = "zqFIRST-7781-kwv" // the secret that all begin with
)

// Lab is the plant.
type Lab struct {
	Dir     string // with secrets.yaml and all that belongs to it
	Secrets string // the keyring's file
	Admin   string // the server's address for operators
	CMTS    []*CMTS

	// Drain is for how long the rotations let a file be used. Rejections of modems with an older one are counted apart;
	// 0: none are.
	Drain time.Duration

	binary  string
	port    int
	closers []func() error

	mu      sync.Mutex
	outputs []*Output
	texts   map[string]bool // every secret that was seen
}

// New makes a plant of these kinds of CMTSes, and the files for a dcs, whose binary is at the path, in dir.
func New(dir, binary string, kinds []Kind) (*Lab, error) {
	if len(kinds) > 65536/perCMTS {
		return nil, fmt.Errorf("at most %d CMTSes: their modems are below 127.18.0.0/16", 65536/perCMTS)
	}
	l := &Lab{
		Dir: dir, Secrets: filepath.Join(dir, "secrets.yaml"), Admin: "unix:" + filepath.Join(dir, "admin.sock"), binary: binary,
		texts: map[string]bool{First: true, Password: true, Enable: true, Community: true},
	}
	if err := l.build(kinds); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

func (l *Lab) build(kinds []Kind) error {
	files := map[string]string{
		"password": Password + "\n", "enable": Enable + "\n", "community": Community + "\n",
		"secrets.yaml": "# Made for a test.\ngeneration: 1\ndefault: main\nsecrets:\n  main: {text: \"" + First + "\"}\nfleet: cmts.yaml\nknown_hosts: known_hosts\n",
		"modem.dcs": `Main ~ "^modem[0-9]+\.bin$" { NetworkAccess 1; MaxCPE 4; UsServiceFlow { UsServiceFlowRef 1; QosParamSetType 7; MaxRateSustained 5M; }
DsServiceFlow { DsServiceFlowRef 2; QosParamSetType 7; MaxRateSustained 50M; } TftpTimestamp $time; TftpModemAddress $ip; }
`,
	}
	var fleet, hosts strings.Builder
	for i, kind := range kinds {
		c, err := l.add(i, kind, &fleet, &hosts)
		if err != nil {
			return err
		}
		l.CMTS = append(l.CMTS, c)
	}
	files["cmts.yaml"], files["known_hosts"] = fleet.String(), hosts.String()
	library := filepath.Join(l.Dir, "library")
	if err := os.Mkdir(library, 0o755); err != nil {
		return err
	}
	for name, text := range files {
		path := filepath.Join(l.Dir, name)
		if strings.HasSuffix(name, ".dcs") {
			path = filepath.Join(library, name)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// add starts a CMTS, and writes its entry of the fleet and its host key.
func (l *Lab) add(i int, kind Kind, fleet, hosts *strings.Builder) (*CMTS, error) {
	make := map[Kind]cmts.Make{Cisco: cmts.Cisco, C4: cmts.C4, C3: cmts.C3, BSR: cmts.BSR, SmallC3: cmts.C3}[kind]
	c := &CMTS{
		Name: fmt.Sprintf("%s-%03d", make, i), Kind: kind, Slots: 2,
		Prefix: netip.PrefixFrom(netip.AddrFrom4([4]byte{127, 18, byte(i * perCMTS >> 8), byte(i * perCMTS)}), 28),
	}
	cfg := cmts.Config{Name: c.Name, Make: make, Secret: First, User: "dcs", Password: Password, Enable: Enable}
	switch kind {
	case Cisco:
		cfg.Interfaces = []string{"Cable5/0/0", "Cable6/0/0"}
	case C3, SmallC3:
		cfg.Interfaces = []string{"3"}
	case C4, BSR:
	}
	if kind == BSR || kind == SmallC3 {
		c.Slots = 1
	}
	c.CMTS = cmts.New(cfg)
	fmt.Fprintf(fleet, "- name: %s\n  driver: %s\n  slots: %d\n  prefixes: [%s]\n  timeout: 60s\n", c.Name, make, c.Slots, c.Prefix)
	if len(cfg.Interfaces) > 0 {
		c.iface = cfg.Interfaces[0]
		fmt.Fprintf(fleet, "  interfaces: [\"%s\"]\n", strings.Join(cfg.Interfaces, `", "`))
	}
	if make == cmts.C3 {
		a, err := c.ServeSNMP("127.0.0.1:0", Community)
		if err != nil {
			return nil, err
		}
		l.closers = append(l.closers, a.Close)
		fmt.Fprintf(fleet, "  address: %s\n  snmp: {community_file: %s/community}\n", a.Addr, l.Dir)
		return c, nil
	}
	s, err := c.ServeSSH("127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l.closers = append(l.closers, s.Close)
	hosts.WriteString(s.KnownHosts() + "\n")
	fmt.Fprintf(fleet, "  address: %s\n  user: dcs\n  password_file: %s/password\n  enable_password_file: %[2]s/enable\n", s.Addr, l.Dir)
	return c, nil
}

// Close ends the CMTSes.
func (l *Lab) Close() error {
	var errs []error
	for _, c := range slices.Backward(l.closers) {
		errs = append(errs, c())
	}
	return errors.Join(errs...)
}

// Output is what a process has said.
type Output struct {
	What string
	mu   sync.Mutex
	b    bytes.Buffer
}

// Write keeps p.
func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

// String returns all of it so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// output is kept for Leaks.
func (l *Lab) output(what string) *Output {
	o := &Output{What: what}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.outputs = append(l.outputs, o)
	return o
}

// Process is a dcs that runs.
type Process struct {
	*exec.Cmd
	Out   *Output // both of its outputs
	ended chan struct{}
	err   error
}

// Start runs dcs.
func (l *Lab) Start(args ...string) (*Process, error) {
	p := &Process{Cmd: exec.Command(l.binary, args...), Out: l.output(strings.Join(args, " ")), ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.Out, p.Out
	if err := p.Cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		p.err = p.Cmd.Wait()
		close(p.ended)
	}()
	return p, nil
}

// Kill ends a process as kill -9 does.
func (p *Process) Kill() {
	_ = p.Process.Kill() // it may have ended
	<-p.ended
}

// Stop ends a process, and returns how it ended.
func (p *Process) Stop() error {
	_ = p.Process.Signal(syscall.SIGTERM)
	return p.Wait(time.Minute)
}

// Running tells whether the process has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.ended:
		return false
	default:
		return true
	}
}

// Wait returns how the process ended.
func (p *Process) Wait(patience time.Duration) error {
	select {
	case <-p.ended:
		return p.err
	case <-time.After(patience):
		p.Kill()
		return fmt.Errorf("it did not end within %v", patience)
	}
}

// Serve starts the server, on the port of the one before if there was one, and waits until it serves.
func (l *Lab) Serve() (*Process, error) {
	if l.port == 0 {
		c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			return nil, err
		}
		l.port = c.LocalAddr().(*net.UDPAddr).Port
		c.Close()
	}
	p, err := l.Start("serve", "--listen", fmt.Sprintf("127.0.0.1:%d", l.port), "--transport", "socket", "--workers", "1", "--drain", "0s",
		"--library", filepath.Join(l.Dir, "library"), "--secrets", l.Secrets, "--admin", l.Admin)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(time.Minute); !strings.Contains(p.Out.String(), "serving"); time.Sleep(5 * time.Millisecond) {
		if !p.Running() || time.Now().After(end) {
			p.Kill()
			return nil, fmt.Errorf("the server does not serve:\n%s", p.Out)
		}
	}
	return p, nil
}

// Secret starts a verb of dcs secret.
func (l *Lab) Secret(verb string, args ...string) (*Process, error) {
	return l.Start(append([]string{"secret", verb, "--secrets", l.Secrets, "--admin", l.Admin}, args...)...)
}

// Journal returns the journal's text.
func (l *Lab) Journal() string {
	b, _ := os.ReadFile(l.Secrets + ".journal")
	return string(b)
}

// Lag is how long a modem takes from its file to its registration.
const Lag = 500 * time.Millisecond

type arrival struct {
	at    time.Time
	c     *CMTS
	modem netip.Addr
	file  []byte
}

// Modems fetch files, rate of them a second, and register after Lag, until the context ends.
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

func (l *Lab) of(modem netip.Addr) *CMTS {
	for _, c := range l.CMTS {
		if c.Prefix.Contains(modem) {
			return c
		}
	}
	return nil
}

// Look keeps what stands in the keyring and on the CMTSes for Leaks, and returns the texts by the name of their CMTS,
// whatever interface they are on.
func (l *Lab) Look() map[string][]string {
	l.mu.Lock()
	defer l.mu.Unlock()
	held := map[string][]string{}
	for _, c := range l.CMTS {
		ifaces := []string{c.iface}
		if c.Kind == Cisco {
			ifaces = []string{"Cable5/0/0", "Cable6/0/0"}
		}
		for _, i := range ifaces {
			for _, s := range c.CMTS.Secrets(i) {
				l.texts[s] = true
				if !slices.Contains(held[c.Name], s) {
					held[c.Name] = append(held[c.Name], s)
				}
			}
		}
	}
	return held
}

// Leaks looks for every secret that Look has seen, for passwords and communities, in all that was said, in the journal and in
// more, and names where one was found.
func (l *Lab) Leaks(more map[string]string) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := map[string]string{}
	for _, o := range l.outputs {
		all[o.What] += o.String()
	}
	for _, suffix := range []string{".journal", ".journal.old", ".lock"} {
		b, _ := os.ReadFile(l.Secrets + suffix)
		all["secrets.yaml"+suffix] = string(b)
	}
	for what, text := range more {
		all[what] += text
	}
	var found []string
	for what, text := range all {
		for secret := range l.texts {
			if strings.Contains(text, secret) {
				found = append(found, what)
				break
			}
		}
	}
	slices.Sort(found)
	return found
}

// CommandLines returns the arguments and environments of all processes that may be looked at.
func CommandLines() string {
	var b strings.Builder
	for _, pattern := range []string{"/proc/[0-9]*/cmdline", "/proc/[0-9]*/environ"} {
		files, _ := filepath.Glob(pattern)
		for _, f := range files {
			text, _ := os.ReadFile(f) // it may have ended
			b.Write(text)
			b.WriteByte('\n')
		}
	}
	return b.String()
}
