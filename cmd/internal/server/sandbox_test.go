package server

import (
	"fmt"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/sandbox"
)

// A failure is distinguished from what is expected, or missing in the kernel.
func TestSandboxFailed(t *testing.T) {
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{nil, false},
		{errSQLite, false},
		{sandbox.ErrStart, false},
		{sandbox.ErrThreads, false},
		{os.NewSyscallError("landlock_create_ruleset", unix.ENOSYS), false},
		{os.NewSyscallError("landlock_restrict_self", unix.E2BIG), true},
		{fmt.Errorf("landlock_add_rule: x: %w", unix.EBADFD), true},
		{os.NewSyscallError("seccomp", unix.ENOMEM), true},
	} {
		if got := sandboxFailed(tt.err); got != tt.want {
			t.Errorf("%v: %v", tt.err, got)
		}
	}
}
