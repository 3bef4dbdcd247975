package check

import (
	"fmt"
	"net/netip"
	"slices"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/ingress"
	"dcs/cmd/internal/listen"
)

// Unsafe returns a line for each setting that works and leaves something open to strangers. What can be wrong with the
// admin addresses is told by [admin.Check].
func Unsafe(cfg *config.Config) []string {
	var lines []string
	outside := func(a netip.AddrPort) bool { return !a.Addr().Unmap().IsLoopback() }
	httpOutside := cfg.HTTP != "" && !admin.Loopback(listen.Host(cfg.HTTP))
	if len(cfg.Allow) == 0 && (slices.ContainsFunc(cfg.Listen, outside) || httpOutside) {
		lines = append(lines, "allow is empty: whoever reaches the port may fetch files; list the prefixes of modems and CMTSes")
	}
	if cfg.SecretFile == "" && cfg.Secrets == "" {
		lines = append(lines, "no secret is configured: files are signed with the empty one, so that anybody can make valid ones; set secret_file or secrets")
	}
	if httpOutside && cfg.HTTPCert == "" {
		lines = append(lines, "http: "+cfg.HTTP+" serves boot files in clear text to other machines: set http_cert and http_key")
	}
	if cfg.SinglePort {
		lines = append(lines, "single_port is on: whoever forges a modem's address can have files sent to it, or end its transfers; leave it off where no firewall needs it")
	}
	if n := cfg.TIDPorts.Count(); n > 0 && n < ingress.ReadTIDs*assemble.WorkersOf(cfg) {
		lines = append(lines, fmt.Sprintf("tid_ports has %d ports for %d workers: with fewer than %d for each, acknowledgements in another's name are easily guessed", n, assemble.WorkersOf(cfg), ingress.ReadTIDs))
	}
	if cfg.MaxBlksize > ingress.CommonMTU-ingress.IPv4Headers {
		lines = append(lines, fmt.Sprintf("max_blksize: blocks of %d octets are fragmented at an MTU of 1500, and whoever acknowledges in another's name has that much sent for each port that he guesses; leave it at 0", cfg.MaxBlksize))
	}
	if len(cfg.Devices.Sources) > 0 && cfg.Devices.Bind == config.BindOff && cfg.Devices.MACInName {
		lines = append(lines, "bind is off: whoever asks for NAME@MAC gets the file of that device; set bind to log or refuse, or mac_in_name to off")
	}
	return lines
}
