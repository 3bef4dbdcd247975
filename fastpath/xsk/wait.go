package xsk

import (
	"fmt"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	// spins is how often a worker looks for a packet in vain before it sleeps: some 20 to 40 µs.
	//
	// Falling asleep and being woken takes longer than a request: one modem alone was answered after 132 µs, and after 20 µs
	// by a worker that looks for its packets. Each look first offers the processor to others: to the thread that receives, where it shares
	// the worker's processor, without which nothing would arrive, and to whoever else does.
	//
	// The offer is not always taken: the scheduler runs no thread that has had more than its share (EEVDF), so that a worker which looks for
	// long takes half of the processor from a receiving thread that needs more. Of 150,000 requests a second 24 looks served 1.25 times what
	// 100 did, after 0.7 of the time; 8 looks served no more than 100 (medians of interleaved rounds on a busy machine).
	spins = 24
	// shortSleep is the longest sleep, ns, after which a worker looks before the next one: a shorter one means that looking would have
	// found the packet. A worker that is asked less often than that sleeps, and its processor with it.
	shortSleep = 100_000
	// brief is the part of a sleep in which the worker keeps its processor of Go's scheduler, which otherwise may give it to
	// another goroutine: packets would then wait for that one (at 20,000 requests a second p99 0.54 instead of 0.82 ms on a
	// busy machine). The scheduler ends this part by a signal if it has to, as package udp describes.
	brief = time.Millisecond
	// retry is the longest sleep while frames wait that the kernel had no room for, which nothing announces.
	retry = time.Millisecond
)

// spin looks for a packet for a while, if the last one came soon, and reports whether there is one, or the end.
func (t *Transport) spin() bool {
	t.spun = t.recent || t.busy
	if !t.spun {
		return false
	}
	for range spins {
		if t.busy {
			for _, p := range t.ports {
				if p != nil {
					_ = p.sock.Poll()
				}
			}
		} else {
			_, _, _ = unix.RawSyscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		}
		if t.ready() {
			return true
		}
	}
	t.recent = false
	return false
}

// ready reports whether collect would find something, or the transport was closed.
func (t *Transport) ready() bool {
	if t.mail() || t.closed.Load() {
		return true
	}
	for _, p := range t.ports {
		if p != nil && p.sock.Ready() {
			return true
		}
	}
	return false
}

// mail reports whether an inbox has a packet. To look into those of 64 workers takes 40 ns, of 512 1 µs,
// while nobody writes to them: each that was written to since the last look is one more cache miss. One word that all writers set, and the
// reader clears, would go from processor to processor.
func (t *Transport) mail() bool {
	for _, m := range t.inboxes {
		if !m.empty() {
			return true
		}
	}
	return false
}

// wait sleeps until there is a packet, at most a tick.
func (t *Transport) wait() error {
	// Writers to an inbox check sleeping after they have put a packet; here inboxes are checked after sleeping is set.
	t.sleeping.Store(true)
	defer t.sleeping.Store(false)
	if t.mail() || t.closed.Load() {
		for i := range t.polls {
			t.polls[i].Revents = 0
		}
		return nil
	}
	most := t.tick
	for _, p := range t.ports {
		if p != nil && p.stuck {
			most = min(most, retry)
		}
	}
	first := min(most, brief)
	left := unix.NsecToTimespec(int64(first)) // the kernel leaves in it what was not waited
	n, _, errno := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&left)), 0, 0, 0)
	t.recent = !t.spun && errno == 0 && n > 0 && int64(first)-left.Nano() < shortSleep
	if most > first && (n == 0 && errno == 0 || errno == unix.EINTR) {
		left = unix.NsecToTimespec(int64(most - first))
		_, _, errno = unix.Syscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&t.polls[0])), uintptr(len(t.polls)), uintptr(unsafe.Pointer(&left)), 0, 0, 0)
	}
	if errno != 0 && errno != unix.EINTR {
		return fmt.Errorf("xsk: ppoll: %w", errno)
	}
	if t.polls[0].Revents != 0 {
		var b [8]byte
		_, _, _ = unix.RawSyscall(unix.SYS_READ, uintptr(t.polls[0].Fd), uintptr(unsafe.Pointer(&b)), 8)
	}
	return nil
}
