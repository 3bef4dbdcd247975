package cmts

import (
	"bufio"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// script returns a session with a simulated Cisco: answer gets each line, and prints what comes back.
func script(t *testing.T, answer func(line string, print func(string))) *session {
	t.Helper()
	d, err := findDescription("cisco", nil)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs := net.Pipe()
	s := newSession(ours)
	s.dialogue, s.timeout, s.loginQuiet, s.scrub, s.vars = d.Dialogue, 10*time.Second, loginQuiet, &scrubber{}, map[string]string{}
	print := func(text string) { _, _ = io.WriteString(theirs, strings.ReplaceAll(text, "\n", "\r\n")) }
	go func() {
		print("hub-1#")
		for in := bufio.NewScanner(theirs); in.Scan(); {
			answer(in.Text(), print)
		}
		theirs.Close()
	}()
	t.Cleanup(s.close)
	if err := s.login(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// A message of the system that comes late, with the prompt shown again below it, does not end the next command, whose error
// would then be taken for another's.
func TestPromptShownAgain(t *testing.T) {
	for _, pause := range []time.Duration{0, promptQuiet / 2, 3 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			s := script(t, func(line string, print func(string)) {
				if line != "bad" {
					print(line + "\nhub-1#")
					return
				}
				print("\n*Mar  1 00:00:00.000: %SYS-5-CONFIG_I: Configured badly from console\nhub-1#")
				synctest.Wait() // it has been seen
				print(line + "\n")
				time.Sleep(pause) // the command takes its time
				print("% Invalid input detected\n\nhub-1#")
			})
			run := func(line string) error {
				return s.run(t.Context(), []step{{Send: line}}, nil, map[string]string{}, nil)
			}
			if err := run("good"); err != nil {
				t.Error(err)
			}
			if err := run("bad"); err == nil || !strings.Contains(err.Error(), `"bad": CMTS answered "% Invalid input`) {
				t.Errorf("%v, want the error of the command", err)
			}
			if err := run("good again"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A CMTS that does not echo works too.
func TestNoEcho(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := script(t, func(line string, print func(string)) {
			time.Sleep(time.Second)
			if line == "bad" {
				print("% Invalid input detected\n")
			}
			print("\nhub-1#")
		})
		for line, fails := range map[string]bool{"good": false, "bad": true} {
			if err := s.run(t.Context(), []step{{Send: line}}, nil, map[string]string{}, nil); (err != nil) != fails {
				t.Errorf("%s: %v", line, err)
			}
		}
	})
}
