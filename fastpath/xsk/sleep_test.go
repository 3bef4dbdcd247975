package xsk

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// While the kernel has no room for frames that are to be sent, a worker does not sleep for long: nothing would wake it.
func TestSleepsBrieflyWhileStuck(t *testing.T) {
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(wake)
	tr := &Transport{tick: time.Hour, polls: []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}, ports: []*port{nil, {stuck: true}}}
	done := make(chan error, 1)
	go func() { done <- tr.wait() }()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("asleep")
	}
}
