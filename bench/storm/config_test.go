package storm

import (
	"net/netip"
	"testing"
)

func TestConfigIsChecked(t *testing.T) {
	for name, change := range map[string]func(*Config){
		"no target":       func(c *Config) { c.Target = netip.AddrPort{} },
		"port 0":          func(c *Config) { c.Target = netip.MustParseAddrPort("127.0.0.1:0") },
		"two modes":       func(c *Config) { c.Rate = 5 },
		"no end":          func(c *Config) { c.Count = 0 },
		"no modems":       func(c *Config) { c.Modems = 0 },
		"too many modems": func(c *Config) { c.Modems = 65537 },
		"small net":       func(c *Config) { c.Net, c.Modems = netip.MustParsePrefix("198.18.0.0/24"), 257 },
		"other family":    func(c *Config) { c.Net = netip.MustParsePrefix("fd00::/64") },
		"blksize":         func(c *Config) { c.BlkSize = 7 },
		"fragments":       func(c *Config) { c.Interface, c.BlkSize = "lo", 1449 },
		"no back-off":     func(c *Config) { c.Backoff = nil },
		"retries":         func(c *Config) { c.Retries = -1 },
	} {
		cfg := Default()
		cfg.Target, cfg.Window, cfg.Count = netip.MustParseAddrPort("127.0.0.1:69"), 1, 1
		change(&cfg)
		if err := cfg.complete(); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
