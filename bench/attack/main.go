// Command attack misuses a server from addresses that are not the attacker's own: it asks and acknowledges nothing,
// acknowledges blindly, ends others' downloads, asks from whole prefixes and for devices that do not exist. Meanwhile
// known modems fetch files. It reports how many octets the server sent for each octet of the attacker's and how many
// known modems got no file. Its exit status is 1 if a bound of the design is missed.
//
// It needs root and two CPUs: CPU 0 for the server, CPU 1 for the load.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"dcs/bench/netlab"
	"dcs/bench/rig"
)

type settings struct {
	dcs, before string
	only        string
	transports  string
	rate        float64
	length      time.Duration
}

// errMissed is returned when a bound was missed.
var errMissed = errors.New("bounds missed")

func main() {
	if len(os.Args) > 1 && os.Args[1] == answering {
		if err := answerDevices(os.Stdin, os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "attack:", err)
			os.Exit(1)
		}
		return
	}
	var s settings
	flag.StringVar(&s.dcs, "dcs", "bin/dcs", "the server's `binary`")
	flag.StringVar(&s.before, "before", "", "another `binary` to attack, for comparison")
	flag.StringVar(&s.only, "only", "", "only attacks whose name contains an element of this comma-separated `list`")
	flag.StringVar(&s.transports, "transports", "socket,xdp", "comma-separated `list` of transports")
	flag.Float64Var(&s.rate, "rate", 500, "downloads of known modems per `second`")
	flag.DurationVar(&s.length, "duration", 5*time.Second, "how `long` known modems begin downloads during each attack")
	rig.Main(func(ctx context.Context, w io.Writer) error {
		if err := netlab.PinProcess(rig.LoadCPU); err != nil {
			return err
		}
		return run(ctx, s, w)
	})
}

func run(ctx context.Context, s settings, w io.Writer) error {
	dir, err := os.MkdirTemp("", "dcs-attack-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	self, err := os.Executable()
	if err != nil {
		return err
	}
	if err := writeFiles(dir, self); err != nil {
		return err
	}
	fmt.Fprintf(w, `# Attacks from spoofed addresses

Each attack has a server of its own, in its default configuration, with one worker. Meanwhile known modems begin %.0f downloads a second
for %v. A download fails if none of three requests (repeated after 1 s and 2 s) brings the file. Octets are those of IP packets: in, as
the attacker's device accepted them; out, as they arrived at the victims. *Dropped* are packets of all senders that the kernel had no
room for before the server read them. Server on CPU 0, attacker and modems on CPU 1, a veth between two network namespaces.

`, s.rate, s.length)
	err = s.table(ctx, w, dir, s.dcs, "The result")
	if err != nil && !errors.Is(err, errMissed) {
		return err
	}
	if s.before != "" {
		if err := s.table(ctx, w, dir, s.before, "Before"); err != nil && !errors.Is(err, errMissed) {
			return err
		}
	}
	fmt.Fprint(w, "## The attacks\n\n")
	for _, a := range s.attacks() {
		fmt.Fprintf(w, "- **%s**: %s.\n", a.name, a.how)
	}
	fmt.Fprintf(w, "\n%s", rig.Facts(rig.Command()))
	return rig.Missed(err)
}

// attacks returns the chosen attacks.
func (s *settings) attacks() (chosen []*attack) {
	for i := range attacks {
		for part := range strings.SplitSeq(s.only, ",") {
			if strings.Contains(attacks[i].name, part) {
				chosen = append(chosen, &attacks[i])
				break
			}
		}
	}
	return chosen
}

// table attacks one server and writes the results.
func (s *settings) table(ctx context.Context, w io.Writer, dir, dcs, title string) error {
	dcs, err := filepath.Abs(dcs)
	if err != nil {
		return err
	}
	version, err := exec.Command(dcs, "version").Output()
	if err != nil {
		return err
	}
	fmt.Fprintf(w, `## %s: %s

| attack | transport | packets in | octets in | octets out | out per in | bound | known: downloads | failed | slowest | dropped | broken off | |
|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|---|
`, title, strings.TrimSpace(string(version)))
	missed := 0
	for _, a := range s.attacks() {
		for transport := range strings.SplitSeq(s.transports, ",") {
			st := stage{
				dcs: dcs, dir: dir, transport: transport, serverCPU: rig.ServerCPU, loadCPU: rig.LoadCPU,
				scale: full, load: load{s.rate, s.length},
			}
			r, err := st.act(ctx, a)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", a.name, transport, err)
			}
			misses := r[0].misses()
			missed += len(misses)
			r[0].row(w, misses)
		}
	}
	fmt.Fprintln(w)
	if missed > 0 {
		return fmt.Errorf("%d %w", missed, errMissed)
	}
	return nil
}

func (r *result) row(w io.Writer, misses []string) {
	verdict := "kept"
	if len(misses) > 0 {
		verdict = "MISSED: " + strings.Join(misses, "; ")
	}
	broken := "–"
	if r.targeted > 0 {
		broken = fmt.Sprintf("%d of %d", r.broken, r.targeted)
	}
	slowest := time.Duration(r.known.Latency.Max * 1e3).Round(10 * time.Microsecond)
	fmt.Fprintf(w, "| %s | %s | %d | %d | %d | %.2f | %g | %d | %d | %v | %d | %s | %s |\n", r.name, r.transport,
		r.in.Packets, r.in.Octets, r.out.Octets, r.factor(), r.bound, r.known.Offered, r.failed(), slowest, r.drops, broken, verdict)
}
