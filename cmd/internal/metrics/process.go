package metrics

import (
	"bytes"
	"os"
	"runtime"
	rtm "runtime/metrics"
	"strconv"
	"strings"
)

// Process are the metrics of the process and of Go's runtime, by the names that Prometheus' own clients use.
func Process() []Metric {
	return []Metric{
		{"process_cpu_seconds_total", Counter, nil, "Processor time of the process, in the kernel and outside of it."},
		{"process_resident_memory_bytes", Gauge, nil, "Memory of the process that is in RAM."},
		{"process_virtual_memory_bytes", Gauge, nil, "Address space of the process."},
		{"process_open_fds", Gauge, nil, "Open file descriptors."},
		{"process_max_fds", Gauge, nil, "File descriptors that may be open."},
		{"process_start_time_seconds", Gauge, nil, "When the process began, Unix time."},
		{"go_info", Gauge, []string{"version"}, "The version of Go that the program was built with."},
		{"go_goroutines", Gauge, nil, "Goroutines that there are."},
		{"go_gc_cycles_total", Counter, nil, "Garbage collections that have ended."},
		{"go_memory_heap_bytes", Gauge, nil, "Memory in objects, live or not yet collected."},
		{"go_memory_total_bytes", Gauge, nil, "Memory that the runtime has from the system."},
	}
}

// The kernel counts a process's time in these for user space, whatever its own rate is (proc(5)).
const ticksPerSecond = 100

// CollectProcess gives the metrics of [Process] their values.
func CollectProcess(w *Writer) {
	w.Value("go_info", 1, runtime.Version())
	samples := []rtm.Sample{
		{Name: "/sched/goroutines:goroutines"},
		{Name: "/gc/cycles/total:gc-cycles"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/total:bytes"},
	}
	rtm.Read(samples)
	for i, name := range []string{"go_goroutines", "go_gc_cycles_total", "go_memory_heap_bytes", "go_memory_total_bytes"} {
		if samples[i].Value.Kind() == rtm.KindUint64 {
			w.Count(name, samples[i].Value.Uint64())
		}
	}
	// A process may lack some of these files: what is not known has no value.
	if fields := statFields(); len(fields) > 21 {
		w.Value("process_cpu_seconds_total", (fields[11]+fields[12])/ticksPerSecond)
		w.Value("process_virtual_memory_bytes", fields[20])
		w.Value("process_resident_memory_bytes", fields[21]*float64(os.Getpagesize()))
		if boot := bootTime(); boot > 0 {
			w.Value("process_start_time_seconds", boot+fields[19]/ticksPerSecond)
		}
	}
	if fds, err := os.ReadDir("/proc/self/fd"); err == nil {
		w.Value("process_open_fds", float64(len(fds)-1)) // one is that of the directory itself
	}
	if limits, err := os.ReadFile("/proc/self/limits"); err == nil {
		for line := range strings.Lines(string(limits)) {
			if rest, ok := strings.CutPrefix(line, "Max open files"); ok {
				if n, err := strconv.ParseUint(strings.Fields(rest)[0], 10, 64); err == nil {
					w.Count("process_max_fds", n)
				}
			}
		}
	}
}

// statFields returns the numbers of /proc/self/stat from the third field on, the state, which is 0.
func statFields() []float64 {
	text, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return nil
	}
	// The name of the program stands in parentheses, and may hold some itself.
	var out []float64
	for _, f := range strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) {
		n, _ := strconv.ParseFloat(f, 64)
		out = append(out, n)
	}
	return out
}

func bootTime() float64 {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "btime "); ok {
			n, _ := strconv.ParseFloat(strings.TrimSpace(rest), 64)
			return n
		}
	}
	return 0
}
