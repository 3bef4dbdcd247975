package top

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/gdamore/tcell/v3"
	"github.com/gdamore/tcell/v3/color"
	"golang.org/x/term"

	"dcs/cmd/internal/admin/client"
	"dcs/cmd/internal/adminapi"
	"dcs/cmd/internal/terminal"
)

// Live shows the state on the process's terminal, one frame after another, until the context ends or the user quits.
func (t *Top) Live(ctx context.Context) error {
	first, err := t.fetch(ctx)
	if ctx.Err() != nil {
		return nil // the user has quit
	}
	if err != nil {
		return err
	}
	screen, err := open()
	if err != nil {
		return err
	}
	defer screen.Fini()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answers := make(chan answer)
	go t.poll(ctx, answers)

	v := &view{before: first, now: first}
	for {
		v.draw(screen)
		select {
		case <-ctx.Done():
			return nil
		case a := <-answers:
			if refused := (*client.Error)(nil); errors.As(a.err, &refused) {
				return a.err // the next one would be refused, too
			}
			v.update(a)
		case ev, ok := <-screen.EventQ():
			if !ok || v.handle(ev, screen) {
				return nil
			}
		}
	}
}

// open takes over the terminal. Standard input may be something else.
func open() (tcell.Screen, error) {
	from := tcell.NewStdIoTty
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		from = tcell.NewDevTty
	}
	tty, err := from()
	if err != nil {
		return nil, err
	}
	screen, err := tcell.NewTerminfoScreenFromTty(tty)
	if err != nil {
		return nil, err
	}
	return screen, screen.Init()
}

type answer struct {
	state *adminapi.Top
	err   error
}

// poll fetches the state once per interval until the context ends.
func (t *Top) poll(ctx context.Context, answers chan<- answer) {
	tick := time.NewTicker(t.Interval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var a answer
		a.state, a.err = t.fetch(ctx)
		select {
		case <-ctx.Done():
			return
		case answers <- a:
		}
	}
}

// view is the contents of the screen: a title, as much of the frame as fits, and the keys.
type view struct {
	before, now *adminapi.Top
	err         error // of the last poll
	paused      bool
	offset      int // of the first line shown below the title
	shown       int // lines below the title
}

func (v *view) update(a answer) {
	v.err = a.err
	if a.err == nil && !v.paused {
		v.before, v.now = v.now, a.state
	}
}

// handle handles an event and reports whether the user quits.
func (v *view) handle(ev tcell.Event, screen tcell.Screen) (quit bool) {
	switch ev := ev.(type) {
	case *tcell.EventResize:
		screen.Sync()
	case *tcell.EventKey:
		switch ev.Key() {
		case tcell.KeyCtrlC, tcell.KeyCtrlD, tcell.KeyEscape:
			return true
		case tcell.KeyUp:
			v.offset--
		case tcell.KeyDown:
			v.offset++
		case tcell.KeyPgUp:
			v.offset -= v.shown
		case tcell.KeyPgDn:
			v.offset += v.shown
		case tcell.KeyHome:
			v.offset = 0
		case tcell.KeyEnd:
			v.offset = maxLines
		case tcell.KeyRune:
			return v.letter(ev.Str())
		}
	}
	return false
}

// maxLines is more than the lines of any frame.
const maxLines = 1 << 20

func (v *view) letter(s string) (quit bool) {
	switch strings.ToLower(s) {
	case "q":
		return true
	case "p":
		v.paused = !v.paused
	case "k":
		v.offset--
	case "j":
		v.offset++
	}
	return false
}

const keys = "q quit  p pause  Up Down PgUp PgDn Home End scroll"

// draw draws the whole screen; only changes are sent to the terminal.
func (v *view) draw(screen tcell.Screen) {
	width, height := screen.Size()
	lines := frame(cmp.Or(v.before, v.now), v.now)
	title, body := lines[0], lines[1:]
	if v.err != nil {
		title = line{terminal.Clean("no answer: " + v.err.Error()), true}
	}
	v.shown = max(height-1, 0)
	if height > 2 {
		v.shown-- // the keys
	}
	v.offset = min(max(v.offset, 0), max(len(body)-v.shown, 0))

	screen.Clear()
	put(screen, 0, title, tcell.StyleDefault.Bold(true))
	for i, l := range body[v.offset:min(v.offset+v.shown, len(body))] {
		put(screen, i+1, l, tcell.StyleDefault)
	}
	if height > 2 {
		help := keys
		if v.paused {
			help = "PAUSED  " + help
		}
		screen.FillArea(0, height-1, width, 1, ' ', tcell.StyleDefault.Reverse(true))
		screen.PutStrStyled(0, height-1, help, tcell.StyleDefault.Reverse(true))
	}
	screen.Show()
}

// put writes a line, truncated to the screen.
func put(screen tcell.Screen, y int, l line, style tcell.Style) {
	if l.bad {
		style = style.Foreground(color.Red)
	}
	screen.PutStrStyled(0, y, l.text, style)
}
