// Package cgroup reads the memory limit of the process's control group.
package cgroup

import (
	"bufio"
	"math"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
)

// MemoryLimit returns the lowest memory limit, in octets, of the process's control group and its ancestors, version 2 or 1
// (cgroups(7)). ok is false if there is none.
func MemoryLimit() (octets int64, ok bool) { return memoryLimit("/") }

// memoryLimit is MemoryLimit with /proc and /sys below root.
func memoryLimit(root string) (octets int64, ok bool) {
	least := int64(math.MaxInt64)
	groups := read(filepath.Join(root, "proc/self/cgroup"))
	for sc := bufio.NewScanner(strings.NewReader(groups)); sc.Scan(); {
		// hierarchy:controllers:path
		fields := strings.SplitN(sc.Text(), ":", 3)
		if len(fields) != 3 {
			continue
		}
		switch {
		case fields[0] == "0" && fields[1] == "":
			for _, mount := range []string{"sys/fs/cgroup", "sys/fs/cgroup/unified"} {
				least = min(least, along(filepath.Join(root, mount), fields[2], "memory.max"))
			}
		case hasController(fields[1], "memory"):
			least = min(least, along(filepath.Join(root, "sys/fs/cgroup/memory"), fields[2], "memory.limit_in_bytes"))
		}
	}
	// In version 1 the largest number of whole pages means no limit.
	return least, least < math.MaxInt64>>12<<12-1<<20
}

func hasController(list, name string) bool {
	for c := range strings.SplitSeq(list, ",") {
		if c == name {
			return true
		}
	}
	return false
}

// along returns the lowest limit of a group and its ancestors. In a container the group's path may be missing; its root is the
// container's group then.
func along(mount, group, file string) int64 {
	least := int64(math.MaxInt64)
	for at := path.Clean("/" + group); ; at = path.Dir(at) {
		if n, err := strconv.ParseInt(strings.TrimSpace(read(filepath.Join(mount, at, file))), 10, 64); err == nil && n > 0 {
			least = min(least, n)
		}
		if at == "/" {
			return least
		}
	}
}

// read returns a file's contents, "" if it cannot be read.
func read(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}
