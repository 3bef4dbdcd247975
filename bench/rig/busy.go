package rig

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// Quiet waits until every CPU is at least 90 % idle, or until limit has passed, and returns how busy the busiest CPU
// was at the end, 0 to 1.
func Quiet(ctx context.Context, limit time.Duration) (float64, error) {
	const look = 200 * time.Millisecond
	for end := time.Now().Add(limit); ; {
		before, err := busy()
		if err != nil {
			return 0, err
		}
		begin := time.Now()
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(look):
		}
		after, err := busy()
		if err != nil {
			return 0, err
		}
		most := 0.0
		for cpu := range after {
			most = max(most, (after[cpu]-before[cpu]).Seconds()/time.Since(begin).Seconds())
		}
		if most < 0.1 || time.Now().After(end) {
			return min(most, 1), nil
		}
	}
}

// Busy returns how long a CPU has been busy since boot, interrupts included.
func Busy(cpu int) (time.Duration, error) {
	all, err := busy()
	if err != nil {
		return 0, err
	}
	worked, ok := all[fmt.Sprintf("cpu%d", cpu)]
	if !ok {
		return 0, fmt.Errorf("CPU %d is not in /proc/stat", cpu)
	}
	return worked, nil
}

// busy returns how long each CPU has been busy since boot (/proc/stat, in hundredths of a second).
func busy() (map[string]time.Duration, error) {
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		return nil, err
	}
	cpus := map[string]time.Duration{}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 8 || !strings.HasPrefix(f[0], "cpu") || f[0] == "cpu" {
			continue
		}
		for _, k := range []int{1, 2, 3, 6, 7} { // user, nice, system, irq, softirq
			n, err := strconv.ParseInt(f[k], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("/proc/stat: %w", err)
			}
			cpus[f[0]] += time.Duration(n) * 10 * time.Millisecond
		}
	}
	return cpus, nil
}
