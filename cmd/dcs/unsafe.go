package main

import (
	"net"
	"net/netip"
	"slices"

	"dcs/cmd/internal/admin"
	"dcs/cmd/internal/config"
)

// unsafeSettings returns a line for each setting that works and leaves something open to strangers. What can be wrong with the
// admin addresses is told by [admin.Check].
func unsafeSettings(cfg *config.Config) []string {
	var lines []string
	outside := func(a netip.AddrPort) bool { return !a.Addr().Unmap().IsLoopback() }
	if len(cfg.Allow) == 0 && (slices.ContainsFunc(cfg.Listen, outside) || cfg.HTTP != "" && !admin.Loopback(hostOf(cfg.HTTP))) {
		lines = append(lines, "allow is empty: whoever reaches the port may fetch files; list the prefixes of modems and CMTSes")
	}
	if cfg.SecretFile == "" && cfg.Secrets == "" {
		lines = append(lines, "no secret is configured: files are signed with the empty one, so that anybody can make valid ones; set secret_file or secrets")
	}
	if cfg.HTTP != "" && cfg.HTTPCert == "" && !admin.Loopback(hostOf(cfg.HTTP)) {
		lines = append(lines, "http: "+cfg.HTTP+" serves boot files in clear text to other machines: set http_cert and http_key")
	}
	return lines
}

// hostOf returns an address's host, "" for all that there are.
func hostOf(address string) string {
	h, _, _ := net.SplitHostPort(address)
	return h
}

// warnUnsafe logs what is unsafe about the configuration, once at the start.
func (s *server) warnUnsafe() {
	for _, line := range unsafeSettings(&s.cfg) {
		s.log.Warn(line)
	}
}
