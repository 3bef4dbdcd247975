package store_test

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"dcs/render/attr"
	"dcs/render/attr/store"
	"dcs/render/device"
)

const (
	fleetSize = 200
	last      = fleetSize - 1 // the device that losses come to at the end
	unknown   = 1000          // one that no source has at first
)

// truth is the content of a source: profile and down by device.
type truth struct {
	rows   map[int][2]string
	column string // what down is called
}

func whole() truth {
	t := truth{map[int][2]string{}, "down"}
	for i := range fleetSize {
		t.rows[i] = [2]string{"gold", fmt.Sprint(100000 + i)}
	}
	return t
}

func (t truth) counts() (devices, down int) {
	for _, r := range t.rows {
		if r[1] != "" && t.column == "down" {
			down++
		}
	}
	return len(t.rows), down
}

// with returns a copy of t with each row as f returns it, or without it.
func (t truth) with(f func(i int, row [2]string) ([2]string, bool)) truth {
	n := truth{map[int][2]string{}, t.column}
	for i, row := range t.rows {
		if row, ok := f(i, row); ok {
			n.rows[i] = row
		}
	}
	return n
}

func (t truth) csv() string {
	var b strings.Builder
	fmt.Fprintf(&b, "mac,profile,%s\n", t.column)
	for i := range 2000 {
		if r, ok := t.rows[i]; ok {
			fmt.Fprintf(&b, "%s,%s,%s\n", macText(i), r[0], r[1])
		}
	}
	return b.String()
}

func (t truth) device(i int) (attr.Device, bool) {
	r, ok := t.rows[i]
	d := attr.Device{MAC: macOf(i), Values: []string{r[0], r[1]}}
	if t.column != "down" {
		d.Values[1] = ""
	}
	return d, ok
}

func macOf(i int) device.MAC { return device.MAC{2, 0, 0, 0, byte(i >> 8), byte(i)} }
func macText(i int) string {
	return fmt.Sprintf("02:00:00:00:%02x:%02x", i>>8, i&255)
}

// losses are the ways to lose devices or values.
var losses = []struct {
	name string
	lose func(truth) truth
	cut  bool // the file ends in mid-row
}{
	{"90 % gone", func(t truth) truth {
		return t.with(func(i int, r [2]string) ([2]string, bool) { return r, i < fleetSize/10 })
	}, false},
	{"all gone", func(t truth) truth {
		return t.with(func(_ int, r [2]string) ([2]string, bool) { return r, false })
	}, false},
	{"column renamed", func(t truth) truth { t.column = "rate"; return t }, false},
	{"column empty", func(t truth) truth {
		return t.with(func(_ int, r [2]string) ([2]string, bool) { return [2]string{r[0]}, true })
	}, false},
	{"column 90 % empty", func(t truth) truth {
		return t.with(func(i int, r [2]string) ([2]string, bool) {
			if i >= fleetSize/10 {
				r[1] = ""
			}
			return r, true
		})
	}, false},
	{"cut in mid-row", func(t truth) truth { return t }, true},
	{"half", func(t truth) truth {
		return t.with(func(i int, r [2]string) ([2]string, bool) { return r, i < fleetSize/2 })
	}, false},
}

// testSource is a source whose content a test replaces.
type testSource interface {
	source() attr.Source
	// become changes the content of the source from before to now; cut truncates its file in mid-row.
	become(t *testing.T, before, now truth, cut bool)
}

// notThere are cells that cannot exist, and why.
var notThere = map[string]string{
	"SQL load, cut in mid-row":          "a table has no rows that are half written",
	"SQL changed_query, cut in mid-row": "a table has no rows that are half written",
	"SQL NOTIFY, cut in mid-row":        "a table has no rows that are half written",
	"LDAP load, cut in mid-row":         "a directory has no entries that are half written",
	"plug-in list, cut in mid-row":      "a line that does not end is not taken, and a list without its end is an error: see the manual (plugins.md)",
	"plug-in changes, cut in mid-row":   "a line that does not end is not taken",
	"ask again, cut in mid-row":         "an answer is whole or an error",
}

// noSingle are sources that report no single changes, and why.
var noSingle = map[string]string{
	"CSV load": "a file is all that there is: a change comes with the next one",
	"localdb":  "a file is all that there is: a change comes with the next one",
}

// neverAccepted are cells that force does not accept, and why.
var neverAccepted = map[string]string{
	"localdb, cut in mid-row": "its sums do not fit: that it is damaged is certain",
}

// Each kind of source with each kind of loss: the old values are served, the state says so, a change that loses nothing is applied,
// and force accepts the loss.
func TestGuard(t *testing.T) {
	t.Parallel()
	ways := map[string]struct {
		open   func(*testing.T, *guardClock) testSource
		single int // the device of the single change: a known one, or one that is asked for
	}{
		"CSV load":          {openCSV, last},
		"SQL load":          {func(t *testing.T, _ *guardClock) testSource { return openSQL(t, false) }, unknown},
		"SQL changed_query": {func(t *testing.T, _ *guardClock) testSource { return openSQL(t, true) }, last},
		"SQL NOTIFY":        {func(*testing.T, *guardClock) testSource { return newFeed(1) }, last},
		"LDAP load":         {func(*testing.T, *guardClock) testSource { return newFeed(0) }, last},
		"plug-in list":      {func(t *testing.T, _ *guardClock) testSource { return openPlugin(t, false) }, unknown},
		"plug-in changes":   {func(t *testing.T, _ *guardClock) testSource { return openPlugin(t, true) }, last},
		"localdb":           {openLocal, last},
		"ask again":         {func(_ *testing.T, c *guardClock) testSource { return &asked{now: whole(), clock: c} }, unknown},
	}
	unused := map[string]bool{}
	for cell := range notThere {
		unused[cell] = true
	}
	for name, w := range ways {
		for _, loss := range losses {
			cell := name + ", " + loss.name
			if _, ok := notThere[cell]; ok {
				delete(unused, cell)
				if !loss.cut {
					t.Errorf("%s: only files can be cut in mid-row", cell)
				}
				continue
			}
			t.Run(cell, func(t *testing.T) {
				t.Parallel()
				guardCell(t, name, cell, w.open, w.single, loss.lose, loss.cut)
			})
		}
	}
	for cell := range unused {
		t.Errorf("%q is no cell of the table", cell)
	}
}

type guardClock struct{ offset atomic.Int64 }

func (c *guardClock) now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

func guardCell(t *testing.T, name, cell string, open func(*testing.T, *guardClock) testSource, single int, lose func(truth) truth, cut bool) {
	clock := new(guardClock)
	w := open(t, clock)
	var held atomic.Int64 // events
	s, err := store.Open(store.Config{
		Dir: t.TempDir(), Sources: []attr.Source{w.source()}, Now: clock.now, RetryMin: 5 * time.Millisecond, RetryMax: 50 * time.Millisecond,
		Publish: time.Millisecond, AskAgain: time.Millisecond, AskFresh: 200 * time.Millisecond, Memory: 1 << 20,
		OnEvent: func(e store.Event) {
			if e.Kind == store.HeldBack {
				held.Add(1)
			}
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	if a, ok := w.(*asked); ok {
		a.fill(t, s)
	}
	before := whole()
	wait(t, "the fleet is served", func() bool { return served(s, before) == fleetSize })

	now := lose(before)
	w.become(t, before, now, cut)
	if a, ok := w.(*asked); ok {
		a.again()
	}
	_ = s.Reload("", false) // as SIGHUP does
	final, accepted := neverAccepted[cell]
	accepted = !accepted
	state := func() store.State { return s.State()[0] }
	wait(t, "held back, and told", func() bool {
		st := state()
		return st.HeldBack != nil && (held.Load() > 0 || !accepted) || !accepted && st.Err != nil
	})
	if accepted && !errors.Is(state().HeldBack, attr.ErrHeldBack) {
		t.Errorf("held back: %v", state().HeldBack)
	}
	least := fleetSize
	switch name { // changes may lose a fifth before one is held back
	case "SQL NOTIFY", "LDAP load", "ask again", "plug-in changes":
		least = fleetSize * 4 / 5
	}
	time.Sleep(20 * time.Millisecond) // long enough for some retries: they must not remove more
	if n := served(s, before); n < least {
		t.Errorf("%d devices are served as before, of %d; %v", n, fleetSize, state().HeldBack)
	}

	if _, none := noSingle[name]; !none {
		loses := now
		row := [2]string{"platinum", "77"}
		if single == last { // this device has lost its value too
			if r, ok := loses.rows[last]; ok {
				row[1] = r[1]
			}
		}
		next := loses.with(func(_ int, r [2]string) ([2]string, bool) { return r, true })
		next.rows[single] = row
		w.become(t, now, next, cut)
		now = next
		wait(t, fmt.Sprintf("the change of one device, which is %q", get(s, single)), func() bool {
			s.Miss(clock.now().UnixNano(), macOf(single), netip.Addr{})
			clock.offset.Add(int64(2 * time.Millisecond)) // past AskAgain: an unknown device is looked up again
			return strings.Contains(get(s, single), "profile=platinum")
		})
		if single == last && !strings.Contains(get(s, last), "down=") {
			t.Errorf("the change has emptied what is held back: %s", get(s, last))
		}
		if state().HeldBack == nil {
			t.Error("after the change nothing is held back any more")
		}
		if n := served(s, before); n < least-1 {
			t.Errorf("after the change %d devices are served as before, of %d", n, fleetSize)
		}
	}
	if !accepted {
		t.Log(final)
		return
	}
	if a, ok := w.(*asked); ok {
		a.askedAll(t)
	}
	if err := s.Reload("", true); err != nil {
		t.Fatal(err)
	}
	devices, down := now.counts()
	n, m := 0, 0
	defer func() {
		if t.Failed() {
			t.Logf("%d devices, %d with a rate, expected %d and %d; state %+v", n, m, devices, down, state())
		}
	}()
	wait(t, "accepted", func() bool {
		n, m = 0, 0
		for i := range 2000 {
			if text := get(s, i); text != "none" {
				n++
				if strings.Contains(text, "down=") {
					m++
				}
			}
		}
		return n == devices && m == down && state().HeldBack == nil
	})
}

// wait polls until ok returns true.
func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for limit := time.Now().Add(30 * time.Second); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}

func get(s *store.Store, i int) string {
	v := s.View()
	r, ok := v.Lookup(macOf(i), nil)
	if !ok {
		return "none"
	}
	text := ""
	for j := range v.Schema().Len() {
		if value, ok := r.Get(j); ok {
			text += v.Schema().Name(j) + "=" + value + " "
		}
	}
	return text
}

// served returns the number of devices that are served with the values of t.
func served(s *store.Store, t truth) (n int) {
	for i := range fleetSize {
		if r := t.rows[i]; strings.HasPrefix(get(s, i), "profile="+r[0]+" down="+r[1]+" ") {
			n++
		}
	}
	return n
}

const pluginScript = `cd "$1" || exit
echo '{"hello":1,"attributes":["profile","down"],"list":true,"ask":true}'
[ "$2" = changes ] && while sleep 0.02; do
	for f in change.*[0-9]; do [ -e "$f" ] && cat "$f" && rm "$f"; done
done &
while read -r line; do
	case $line in
	*'"list":true'*) cat list ;;
	*'"id":'*)
		id=${line#*'"id":'}; id=${id%%,*}
		mac=${line#*'"mac":"'}; mac=${mac%%'"'*}
		found=$(grep "$mac" list) || found='{"found":false}'
		echo "{\"id\":$id,${found#'{'}" ;;
	esac
done
`
