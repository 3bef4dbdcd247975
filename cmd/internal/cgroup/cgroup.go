// Package cgroup tells how much memory the process's control group allows it.
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

// MemoryLimit returns the least limit on memory, in octets, of the process's control group and those
// around it, of version 2 or 1 (cgroups(7)). It reports false where there is none.
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
	// Version 1 says that there is no limit with the largest number of whole pages.
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

// along returns the least limit of a group and those around it. In a container the group's own path may
// not be there: the root is its group then.
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

// read returns what a file holds; nothing if it cannot be read.
func read(name string) string {
	data, _ := os.ReadFile(name)
	return string(data)
}
