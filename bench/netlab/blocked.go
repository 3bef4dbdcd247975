package netlab

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// AwaitPoll waits until a thread of this process is blocked in ppoll(2). It fails the test after 30 s.
func AwaitPoll(t testing.TB, tid int) {
	t.Helper()
	var state []byte
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var err error
		if state, err = os.ReadFile(fmt.Sprintf("/proc/self/task/%d/syscall", tid)); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(state), fmt.Sprintf("%d ", unix.SYS_PPOLL)) {
			return
		}
	}
	t.Fatalf("thread %d is not in ppoll after 30 s: %s", tid, state)
}
