package rig

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"dcs/bench/netlab"
)

// CPUTime returns the CPU time that a process of this PID namespace has taken: all of its threads, also those that have
// ended, to the nanosecond, and its children that have ended and were waited for, in hundredths of a second. Unlike the
// time for which a CPU was busy it has nothing of other processes.
func CPUTime(pid int) (time.Duration, error) {
	var own unix.Timespec
	const sched = 2 // CPUCLOCK_SCHED of linux/posix-timers.h
	if err := unix.ClockGettime(int32(^pid<<3|sched), &own); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	all := time.Duration(own.Nano())
	end := strings.LastIndex(string(stat), ") ") // of the name, which may have parentheses itself
	f := strings.Fields(string(stat)[end+1:])
	if len(f) < 15 {
		return 0, fmt.Errorf("CPU time of process %d: short /proc/PID/stat", pid)
	}
	for _, s := range f[13:15] { // cutime, cstime
		ticks, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
		}
		all += time.Duration(ticks) * (time.Second / 100)
	}
	return all, nil
}

// ServerTime returns the CPU time that a server in a lab has taken, and on TH1 the threads that receive for it.
func ServerTime(lab *netlab.Lab, pid int) (time.Duration, error) {
	own, err := CPUTime(pid)
	if err != nil {
		return 0, err
	}
	polled, err := lab.Server.Polled(netlab.Device)
	return own + polled, err
}
