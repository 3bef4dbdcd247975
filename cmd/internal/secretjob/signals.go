package secretjob

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// interruptible returns a context that SIGINT, SIGTERM and SIGHUP end. SIGHUP is sent when the operator's connection breaks, unless
// nohup makes this process ignore it. Until stop is called, SIGPIPE does not end the process either.
func interruptible(ctx context.Context) (_ context.Context, stop func()) {
	signals := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		signals = append(signals, syscall.SIGHUP)
	}
	ctx, cancel := signal.NotifyContext(ctx, signals...)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE) // writes return EPIPE then (os/signal)
	return ctx, func() {
		signal.Stop(broken)
		cancel()
	}
}
