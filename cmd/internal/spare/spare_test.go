package spare

import (
	"testing"

	"golang.org/x/sys/unix"
)

// priority returns the nice value of a thread: what getpriority(2) returns is 20 less it.
func priority(thread int) (int, error) {
	n, err := unix.Getpriority(unix.PRIO_PROCESS, thread)
	return 20 - n, err
}

// A thread that has a higher nice value keeps it, also where there is the privilege to raise it.
func TestLowerOnlyLowers(t *testing.T) {
	Do(func() {
		err := Lower(0, nice-5)
		if after, _ := priority(0); err != nil || after < nice {
			t.Errorf("nice value %d (%v), want %d still", after, err, nice)
		}
	})
}

// Work runs lowered, what it starts does not, and no later work or other goroutine gets a lowered thread.
func TestDo(t *testing.T) {
	before, err := priority(0)
	if err != nil {
		t.Fatal(err)
	}
	for range 100 {
		within, beside := 0, make(chan int)
		Do(func() {
			within, _ = priority(0)
			go func() { n, _ := priority(0); beside <- n }()
		})
		if started := <-beside; within != max(nice, before) || started != before {
			t.Fatalf("nice value %d within, %d of what it started, want %d and %d", within, started, max(nice, before), before)
		}
		if n, _ := priority(0); n != before {
			t.Fatalf("nice value %d afterwards, want %d", n, before)
		}
	}
}
