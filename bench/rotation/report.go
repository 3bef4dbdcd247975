package main

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"dcs/bench/rig"
	"dcs/bench/rotation/lab"
	"dcs/bench/storm"
)

// figures are the results. Arrays are indexed by the number of slots.
type figures struct {
	cmts     [3]int
	accepted [3]uint64
	rejected [3]int
	why      string
	wrong    int
	windows  []time.Duration // as dcs reports them
	longest  time.Duration   // between the first and the last modem that one CMTS rejected
}

// windowColumn matches the last column of the table that dcs prints at the end.
var windowColumn = regexp.MustCompile(`(?m)^\S+ .* (\d[\d.]*(?:ms|s|µs))$`)

// tally collects the results; output is that of dcs secret rotate.
func tally(l *lab.Lab, output string) *figures {
	t := &figures{}
	secrets := l.Look()
	for _, c := range l.CMTS {
		t.cmts[c.Slots]++
		t.accepted[c.Slots] += c.Counts().Accepted
		n, within, why := c.Rejected()
		t.rejected[c.Slots] += n
		if n > 0 && c.Slots == 2 {
			t.why = why
		}
		t.longest = max(t.longest, within)
		if h := secrets[c.Name]; len(h) != 1 || h[0] == lab.First {
			t.wrong++
		}
	}
	for _, m := range windowColumn.FindAllStringSubmatch(output, -1) {
		if d, err := time.ParseDuration(m[1]); err == nil {
			t.windows = append(t.windows, d)
		}
	}
	slices.Sort(t.windows)
	return t
}

// markdown returns the report.
func (t *figures) markdown(opt options, took time.Duration, modems *storm.Result, leaks []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Rotation of shared secrets under load\n\n%s\n", rig.Facts(rig.Command()))
	fmt.Fprintf(&b, "%d simulated CMTSes, half over SSH and half over SNMP, all rotated by one `dcs secret rotate`, %d at a time; modems of all of them fetch files and register %v later.\n\n", opt.n, opt.parallel, lab.Lag)
	fmt.Fprintf(&b, "| CMTSes | slots | modems accepted | modems rejected |\n|---|---|---|---|\n")
	for _, slots := range []int{2, 1} {
		fmt.Fprintf(&b, "| %d | %d | %d | %d |\n", t.cmts[slots], slots, t.accepted[slots], t.rejected[slots])
	}
	fmt.Fprintf(&b, "\nThe rotation took %v, of which %v were the drain. %d files were fetched in all, %d downloads failed.\n", took.Round(10*time.Millisecond), opt.drain, modems.Served, modems.Failed)
	if n := len(t.windows); n > 0 {
		fmt.Fprintf(&b, "\nWindows of the %d CMTSes with one slot, as the journal has them: median %v, longest %v. From the first modem that one of them rejected to the last: %v at most; a modem that fetched its file before the window and came after it is among them.\n",
			n, t.windows[n/2], t.windows[n-1], t.longest.Round(time.Millisecond))
	}
	where := "nowhere"
	if len(leaks) > 0 {
		where = "in " + strings.Join(leaks, ", ")
	}
	fmt.Fprintf(&b, "\nSecrets, passwords and communities were looked for in all that server and rotation said, in journal and lock, in the process list once a second, and in %s: found %s.\n", strings.Join(pages, ", "), where)
	return b.String()
}
