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

// Unsafe returns a warning for each setting that leaves something open to strangers, except for the admin addresses, which
// [admin.Check] checks.
func Unsafe(cfg *config.Config) []string {
	var lines []string
	outside := func(a netip.AddrPort) bool { return !a.Addr().Unmap().IsLoopback() }
	httpOutside := cfg.HTTP != "" && !admin.Loopback(listen.Host(cfg.HTTP))
	if len(cfg.Allow) == 0 && (slices.ContainsFunc(cfg.Listen, outside) || httpOutside) {
		lines = append(lines, "allow is empty: any host may fetch files; list the prefixes of modems and CMTSes")
	}
	if cfg.SecretFile == "" && cfg.Secrets == "" {
		lines = append(lines, "no secret is configured: files are signed with an empty one, so anybody can forge them; set secret_file or secrets")
	}
	if httpOutside && cfg.HTTPCert == "" {
		lines = append(lines, "http: "+cfg.HTTP+" serves boot files in clear text to other machines; set http_cert and http_key")
	}
	if cfg.SinglePort {
		lines = append(lines, "single_port is on: with a forged source address anybody can have files sent to a modem or end its transfers; set it to off unless a firewall requires it")
	}
	if n := cfg.TIDPorts.Count(); n > 0 && n < ingress.ReadTIDs*assemble.WorkersOf(cfg) {
		lines = append(lines, fmt.Sprintf("tid_ports has %d ports for %d workers: with fewer than %d for each, acknowledgements can be forged by guessing the port", n, assemble.WorkersOf(cfg), ingress.ReadTIDs))
	}
	if cfg.MaxBlksize > ingress.CommonMTU-ingress.IPv4Headers {
		lines = append(lines, fmt.Sprintf("max_blksize: blocks of %d octets are fragmented at an MTU of 1500, and each forged acknowledgement that guesses the port has that much sent; set it to 0", cfg.MaxBlksize))
	}
	if len(cfg.Devices.Sources) > 0 && cfg.Devices.Bind == config.BindOff && cfg.Devices.MACInName {
		lines = append(lines, "bind is off: anybody who requests NAME@MAC gets the file of that device; set bind to log or refuse, or mac_in_name to off")
	}
	return lines
}
