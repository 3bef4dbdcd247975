package xsk

import (
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// sleeper returns a transport without sockets, and what wakes it.
func sleeper(t *testing.T) (tr *Transport, wake int) {
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(wake) })
	return &Transport{tick: time.Hour, polls: []unix.PollFd{{Fd: int32(wake), Events: unix.POLLIN}}}, wake
}

// A worker looks for the next packet before it sleeps only if the one before came soon.
func TestLooksAfterShortSleep(t *testing.T) {
	tr, wake := sleeper(t)
	event := []byte{1, 0, 0, 0, 0, 0, 0, 0}
	sleep := func() {
		t.Helper()
		if tr.spin() {
			t.Fatal("found something")
		}
		if err := tr.wait(); err != nil {
			t.Fatal(err)
		}
	}
	for range 3 {
		// On a busy machine the event may come before the sleep begins.
		for end := time.Now().Add(20 * time.Second); ; {
			tr.recent = false
			time.AfterFunc(10*time.Millisecond, func() { _, _ = unix.Write(wake, event) })
			begin := time.Now()
			sleep()
			if time.Since(begin) > 5*time.Millisecond && !tr.recent {
				break
			}
			if time.Now().After(end) {
				t.Fatal("looks after long sleeps")
			}
		}
		// On a busy machine a short sleep may be a long one.
		for end := time.Now().Add(20 * time.Second); !tr.recent; {
			if time.Now().After(end) {
				t.Fatal("does not look after short sleeps")
			}
			if _, err := unix.Write(wake, event); err != nil {
				t.Fatal(err)
			}
			if sleep(); tr.spun {
				t.Fatal("looked after a long sleep")
			}
		}
	}
}

// While the kernel has no room for frames that are to be sent, a worker does not sleep for long: nothing would wake it.
func TestSleepsBrieflyWhileStuck(t *testing.T) {
	tr, _ := sleeper(t)
	tr.ports = []*port{nil, {stuck: true}}
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
