package storm

import "testing"

func TestDepth(t *testing.T) {
	for _, c := range []struct {
		name    string
		groups  []Group
		winsize int
		want    int
	}{
		{"closed loop", []Group{{Window: 12}}, 0, 1024},
		{"windows", []Group{{Window: 128}}, 16, 8192},
		{"two closed loops", []Group{{Window: 200}, {Window: 400}}, 0, 4096},
		{"more than there is", []Group{{Window: 10_000}}, 16, 16384},
		{"open loop", []Group{{Rate: 1000}}, 0, 16384},
		{"closed and open", []Group{{Window: 12}, {Flood: 1000}}, 0, 16384},
	} {
		cfg := Config{Groups: c.groups, WinSize: c.winsize}
		if got := cfg.depth(16384); got != c.want {
			t.Errorf("%s: %d, want %d", c.name, got, c.want)
		}
	}
}
