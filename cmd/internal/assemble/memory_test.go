package assemble

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dcs/cmd/internal/config"
)

// The line about memory adds up, and follows the configuration.
func TestMemoryBounds(t *testing.T) {
	sum := func(cfg config.Config) (all int, parts map[string]int) {
		t.Helper()
		line := regexp.MustCompile(`(?m)^memory: at most (\d+) MiB beside the library: (.*)\n`).FindStringSubmatch(MemoryBounds(&cfg) + "\n")
		if line == nil {
			t.Fatal(MemoryBounds(&cfg))
		}
		all, _ = strconv.Atoi(line[1])
		parts = map[string]int{}
		total := 0
		for part := range strings.SplitSeq(line[2], ", ") {
			m := regexp.MustCompile(`^(.*) (\d+) MiB$`).FindStringSubmatch(part)
			if m == nil {
				t.Fatalf("%q in %v", part, line)
			}
			parts[m[1]], _ = strconv.Atoi(m[2])
			total += parts[m[1]]
		}
		if total < all || total > all+len(parts) { // each is rounded up
			t.Errorf("%d, and the parts are %d: %v", all, total, parts)
		}
		return all, parts
	}
	cfg := config.Default()
	cfg.Workers, cfg.LearnedMemory, cfg.Transport = 1, 100<<20, config.Socket
	one, parts := sum(cfg)
	if parts["learned kinds of names"] != 100 || parts["AF_XDP"] != 0 || parts["devices"] != 0 {
		t.Errorf("%v", parts)
	}
	cfg.Workers = 3
	three, tripled := sum(cfg)
	for _, part := range []string{"running transfers", "their files", "workers"} { // each is rounded up
		if most := 3 * parts[part]; tripled[part] > most || tripled[part] < most-2 {
			t.Errorf("%s: %d with one worker, %d with three", part, parts[part], tripled[part])
		}
	}
	cfg.Workers, cfg.LearnedMemory = 1, 300<<20
	more, _ := sum(cfg)
	if three <= one || more != one+200 {
		t.Errorf("one worker %d, three %d, more names %d", one, three, more)
	}
}
