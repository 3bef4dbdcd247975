package csvfile

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"strings"

	"dcs/render/attr"
	"dcs/render/device"
)

// columns maps the file's columns.
type columns struct {
	mac, ip int      // index of the column; -1: none
	attr    []int    // attribute index by column; -1 for mac and ip
	names   []string // of the attributes
}

// header reads the first line.
func (s *source) header(in *scanner) (columns, error) {
	c := columns{mac: -1, ip: -1}
	fields, line, err := in.next()
	fail := func(format string, args ...any) (columns, error) {
		return columns{}, fmt.Errorf("%s:%d: "+format, append([]any{s.cfg.Path, line}, args...)...)
	}
	var bad *badRow
	switch {
	case err == io.EOF:
		return fail("empty file; the first line must name the columns, with mac or ip or both among them")
	case errors.As(err, &bad):
		return fail("%s", bad.reason)
	case err != nil:
		return columns{}, err
	}
	seen := make(map[string]bool)
	for i, f := range fields {
		if i == 0 {
			f = strings.TrimPrefix(f, "\ufeff")
		}
		f = strings.TrimSpace(f)
		if low := strings.ToLower(f); low == "mac" || low == "ip" {
			f = low
		}
		switch {
		case strings.Contains(f, "\r"):
			return fail(bareCR)
		case f == "":
			return fail("column %d has no name", i+1)
		case seen[f]:
			return fail("duplicate column %s", f)
		}
		seen[f] = true
		at := -1
		switch f {
		case "mac":
			c.mac = i
		case "ip":
			c.ip = i
		default:
			at = len(c.names)
			c.names = append(c.names, f)
		}
		c.attr = append(c.attr, at)
	}
	if c.mac < 0 && c.ip < 0 {
		return fail("no column mac or ip; the first line must name the columns, separated by %q", s.cfg.Comma)
	}
	return c, nil
}

// device stores a row in d, or returns the reason why it is not a device.
func (c *columns) device(d *attr.Device, fields []string) (reason string) {
	if len(fields) != len(c.attr) {
		return fmt.Sprintf("%d fields for %d columns", len(fields), len(c.attr))
	}
	d.MAC, d.IP = device.MAC{}, netip.Addr{}
	if c.mac >= 0 {
		if text := strings.TrimSpace(fields[c.mac]); text != "" {
			mac, err := device.ParseMAC(text)
			if err != nil {
				return fmt.Sprintf("%.40q is %v", text, err)
			}
			d.MAC = mac
		}
	}
	if c.ip >= 0 {
		if text := strings.TrimSpace(fields[c.ip]); text != "" {
			ip, err := netip.ParseAddr(text)
			if err != nil || ip.Zone() != "" {
				return fmt.Sprintf("%.60q is not an IP address", text)
			}
			d.IP = ip.Unmap()
		}
	}
	if d.MAC.IsZero() && !d.IP.IsValid() {
		return "neither a MAC nor an IP address"
	}
	for i, at := range c.attr {
		if at >= 0 {
			d.Values[at] = fields[i]
		}
	}
	return ""
}
