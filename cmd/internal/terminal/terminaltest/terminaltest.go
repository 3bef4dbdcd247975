// Package terminaltest is a terminal for tests of programs that use one.
package terminaltest

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"

	"github.com/gdamore/tcell/v3/color"
	"github.com/gdamore/tcell/v3/vt"
	"golang.org/x/sys/unix"
)

// Terminal is a pseudo-terminal with an emulator that shows what is written to it.
type Terminal struct {
	Program *os.File // the end that a program has as its standard input and output
	user    *os.File
	screen  vt.MockTerm

	mu   sync.Mutex
	size vt.Coord
	raw  strings.Builder
}

// New opens a terminal that goes away with the test.
func New(t *testing.T, columns, rows int) *Terminal {
	t.Helper()
	user, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	if err != nil {
		t.Skip("no pseudo-terminals: ", err)
	}
	t.Cleanup(func() { user.Close() })
	number, err := unix.IoctlGetInt(int(user.Fd()), unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(int(user.Fd()), unix.TIOCSPTLCK, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { program.Close() })
	size := vt.Coord{X: vt.Col(columns), Y: vt.Row(rows)}
	term := &Terminal{Program: program, user: user, screen: vt.NewMockTerm(vt.MockOptSize(size)), size: size}
	if err := term.screen.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = term.screen.Stop() })
	term.Resize(t, columns, rows)
	go term.show()
	go term.answer()
	return term
}

// show feeds the emulator.
func (t *Terminal) show() {
	buf := make([]byte, 4096)
	for {
		n, err := t.user.Read(buf)
		t.mu.Lock()
		t.raw.Write(buf[:n])
		_, _ = t.screen.Write(buf[:n])
		t.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// answer sends what the emulator answers when a program asks what it can do.
func (t *Terminal) answer() {
	buf := make([]byte, 256)
	for {
		n, err := t.screen.Read(buf)
		if err != nil {
			return
		}
		if _, err := t.user.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Type sends keys.
func (t *Terminal) Type(s string) error {
	_, err := t.user.WriteString(s)
	return err
}

// Resize changes the size, and tells the program of it.
func (t *Terminal) Resize(tb testing.TB, columns, rows int) {
	tb.Helper()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.size = vt.Coord{X: vt.Col(columns), Y: vt.Row(rows)}
	t.screen.SetSize(t.size)
	if err := unix.IoctlSetWinsize(int(t.user.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Row: uint16(rows), Col: uint16(columns)}); err != nil {
		tb.Fatal(err)
	}
}

// Raw returns all that was written.
func (t *Terminal) Raw() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.raw.String()
}

// Lines returns the text on the screen, without trailing spaces.
func (t *Terminal) Lines() []string {
	t.mu.Lock()
	defer t.mu.Unlock()
	lines := make([]string, t.size.Y)
	for y := range lines {
		var line strings.Builder
		for x := range t.size.X {
			c := t.screen.GetCell(vt.Coord{X: x, Y: vt.Row(y)})
			if c.C == "" {
				c.C = " "
			}
			line.WriteString(c.C)
		}
		lines[y] = strings.TrimRight(line.String(), " ")
	}
	return lines
}

// String returns the screen as one text.
func (t *Terminal) String() string { return strings.Join(t.Lines(), "\n") }

// Has reports whether any cell of the screen has this foreground.
func (t *Terminal) Has(c color.Color) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	for y := range t.size.Y {
		for x := range t.size.X {
			if cell := t.screen.GetCell(vt.Coord{X: x, Y: y}); cell.S != nil && cell.S.Fg() == c {
				return true
			}
		}
	}
	return false
}
