package config

// deviceKeys are the keys about device attributes, and how requests identify devices.
func (c *Config) deviceKeys() []Key {
	return []Key{
		{
			"devices", `[]`,
			`Sources of device attributes; each attribute comes from the first source that
has it. Only for the file: there is no flag. dcs-devices(7) has every setting
of each source. A source that loses more than a fifth of its devices, or of an
attribute's values, within a day is held back until
"dcs devices reload --force" accepts the loss. Example:
  - csv: /etc/dcs/devices.csv
  - sql: {driver: postgres, dsn_file: /etc/dcs/dsn, channel: devices,
      query: "SELECT mac, ip, profile, down FROM devices"}
  - ldap: {url: "ldap://ldap.example", base: "ou=modems,dc=example",
      filter: (objectClass=dcsModem), attributes: {dcsProfile: profile}}
  - plugin: {argv: [/usr/local/lib/dcs/devices.py, /etc/dcs/devices.json]}
  - localdb: /var/lib/dcs/fleet.db`,
			sources(&c.Devices.Sources),
		},
		{
			"devices_dir", `""`,
			`Directory of the device snapshot, which is served while a source is down, also
after a restart. One server per directory. Empty: devices in systemd's state
directory ($STATE_DIRECTORY), else in /var/lib/dcs.`,
			path(&c.Devices.Dir),
		},
		{
			"proxies", `[]`,
			`Prefixes of CMTSes that may say which modem a request is for, by the TFTP
options hwaddr and netaddr: netaddr is then the modem's address, $ip, instead
of the packet's source. The options are ignored from others.`,
			many(&c.Devices.Proxies, "prefixes", "a list of prefixes", ParsePrefix),
		},
		{
			"bind", `log`,
			`What to do with a request that names a device (by NAME@MAC, by a pattern's
group mac or by the option hwaddr) from an address that belongs to another
device, or although the named device has another address: log (answer and
log), refuse (TFTP ERROR 2, HTTP status 403), or off. A device behind two
CMTSes of the keyring within a minute is logged.`,
			one(&c.Devices.Bind, "off|log|refuse", "off, log or refuse", text, parseBind),
		},
		{
			"mac_in_name", `on`,
			`Whether NAME@MAC requests the file NAME for the device MAC. off: it is an
ordinary name. A group mac of a template's pattern names a device in any case.
This key and bind are read again at SIGHUP.`,
			boolean(&c.Devices.MACInName),
		},
		{
			"prebuild", `off`,
			`Render the file of every device in advance, for all templates that have a
fixed name and read attributes: no request waits for one to be learned, and
devices that would get no file are logged before they ask.`,
			boolean(&c.Devices.Prebuild),
		},
	}
}
