package config

import (
	"errors"
	"fmt"
	"net/netip"

	"dcs/render/naming"
)

// Validate checks the settings that depend on each other. It is called when file and flags have been merged.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Library)+len(c.Static) == 0 {
		errs = append(errs, errors.New("nothing to serve: neither library nor static is set"))
	}
	if c.Devices.Prebuild && len(c.Devices.Sources) == 0 {
		errs = append(errs, errors.New("prebuild: no device sources; set devices"))
	}
	if len(c.Listen) == 0 {
		errs = append(errs, errors.New("listen: no address"))
	}
	if c.SecretFile != "" && c.Secrets != "" {
		errs = append(errs, errors.New("secret_file and secrets are both set; use secret_file for a single secret, secrets for a keyring"))
	}
	seen := map[netip.AddrPort]bool{}
	for _, a := range c.Listen {
		if seen[a] {
			errs = append(errs, fmt.Errorf("listen: %s is listed twice", a))
		}
		seen[a] = true
	}
	if _, err := naming.New(naming.Config{IgnoreCase: c.Names.IgnoreCase, Rewrite: c.Names.Rewrite}); err != nil {
		errs = append(errs, err)
	}
	if err := c.operate(); err != nil {
		errs = append(errs, err)
	}
	if c.BusyPoll && c.Transport == Socket {
		errs = append(errs, errors.New("busy_poll has no effect with transport: socket; remove one of them"))
	}
	if n := c.TIDPorts.Count(); c.SinglePort && n > 0 {
		errs = append(errs, errors.New("tid_ports has no effect while single_port is on; remove one of them"))
	} else if n > 0 && n < 2*c.Workers {
		errs = append(errs, fmt.Errorf("tid_ports: %s is %d ports for %d workers; each needs at least 2 and should have 384", c.TIDPorts, n, c.Workers))
	}
	return errors.Join(errs...)
}

// operate checks the keys of HTTP that depend on each other.
func (c *Config) operate() error {
	switch {
	case c.HTTP == "" && c.HTTPCert+c.HTTPKey != "":
		return errors.New("http_cert and http_key have no effect without http; set http or remove them")
	case (c.HTTPCert == "") != (c.HTTPKey == ""):
		return errors.New("http_cert and http_key must both be set")
	}
	return nil
}
