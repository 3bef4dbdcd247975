package assemble

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"dcs/cmd/internal/account"
	"dcs/cmd/internal/config"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/ldapdir"
	"dcs/render/attr/plugin"
	"dcs/render/attr/sqldb"
	"dcs/render/attr/sqldb/mysql"
	"dcs/render/attr/sqldb/postgres"
	"dcs/render/attr/sqldb/sqlite"
	"dcs/render/attr/store"
)

// DevicesDir returns the directory of the snapshot of devices.
func DevicesDir(c *config.Devices) string {
	if c.Dir != "" {
		return c.Dir
	}
	state := os.Getenv("STATE_DIRECTORY") // set by systemd; the first of several
	if list := filepath.SplitList(state); len(list) > 0 {
		state = list[0]
	}
	if state == "" {
		state = "/var/lib/dcs"
	}
	return filepath.Join(state, "devices")
}

// OpenSources returns the configured sources. They do not connect yet.
func OpenSources(list []config.DeviceSource, log *slog.Logger) ([]attr.Source, error) {
	var out []attr.Source
	var errs []error
	for _, c := range list {
		src, err := openSource(&c, log)
		if err == nil && slices.ContainsFunc(out, func(o attr.Source) bool { return o.Name() == src.Name() }) {
			err = fmt.Errorf("another source is called %s; give one of them a name", src.Name())
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", c.Pos, err))
			continue
		}
		out = append(out, src)
	}
	return out, errors.Join(errs...)
}

func openSource(c *config.DeviceSource, log *slog.Logger) (attr.Source, error) {
	warn := func(err error) { log.Warn("devices", "err", err) }
	switch {
	case c.CSV != nil:
		return csvfile.New(*c.CSV), nil
	case c.File != nil:
		return store.NewFile(c.File.Path, c.File.Poll), nil
	case c.LDAP != nil:
		cfg := *c.LDAP
		cfg.Warn = warn
		return ldapdir.New(cfg)
	case c.Plugin != nil:
		cfg := c.Plugin.Config
		if c.Plugin.User != "" {
			var err error
			if cfg.Credential, err = account.Lookup(c.Plugin.User); err != nil {
				return nil, err
			}
		}
		cfg.Warn = warn
		cfg.Stderr = func(line string) { log.Info("plug-in", "program", cfg.Argv[0], "says", line) }
		return plugin.New(cfg)
	}
	return sqldb.New(c.SQL.Config, sqlDriver(c.SQL.Driver))
}

func sqlDriver(name string) sqldb.Driver {
	switch name {
	case "postgres":
		return postgres.Driver()
	case "mysql":
		return mysql.Driver()
	}
	return sqlite.Driver()
}

// HeldError describes a change of a source that is held back, and how to accept it.
func HeldError(name string, err error) string {
	return fmt.Sprintf("%v; accept with: dcs devices reload --force '%s'", err, name)
}

// DeviceName returns MAC and IP address of a device, as far as it has them.
func DeviceName(d *attr.Device) string {
	var parts []string
	if !d.MAC.IsZero() {
		parts = append(parts, net.HardwareAddr(d.MAC[:]).String())
	}
	if d.IP.IsValid() {
		parts = append(parts, d.IP.String())
	}
	return strings.Join(parts, " ")
}
