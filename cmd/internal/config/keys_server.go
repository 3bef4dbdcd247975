package config

import "dcs/cmd/internal/logging"

// adminKeys are the keys about the admin page, metrics and boot files over HTTP.
func (c *Config) adminKeys() []Key {
	return []Key{
		{
			"admin", `[]`,
			`Where the admin page and API listen: addresses such as 127.0.0.1:8069 and
sockets such as unix:/run/dcs/admin.sock, which dcs itself prefers. A socket
accepts changes from everyone whom its permissions admit, an address only with
admin_token_file or admin_client_ca. An address that other machines can reach
requires one of these in any case. Empty: nowhere.`,
			adminAddresses(&c.Admin),
		},
		{
			"admin_token_file", `""`,
			`A file with the token that the admin page and API require, mode 600, made for
example by "openssl rand -hex 32". A replaced file takes effect at once and
ends all sessions. Empty: no token.`,
			path(&c.AdminTokenFile),
		},
		{
			"admin_cert", `""`,
			`Certificate with its chain, PEM: the admin page and API use HTTPS.`,
			path(&c.AdminCert),
		},
		{
			"admin_key", `""`,
			`Private key of admin_cert, PEM.`,
			path(&c.AdminKey),
		},
		{
			"admin_client_ca", `""`,
			`Certificate authorities, PEM: the admin page and API require a client
certificate signed by one of them. Requires admin_cert.`,
			path(&c.AdminClientCA),
		},
		{
			"admin_hosts", `[]`,
			`Names under which browsers reach the admin page, in addition to addresses,
localhost, the machine's name and the names in admin_cert. Requests for other
names are refused, as a foreign page can have its own name resolve to here.`,
			many(&c.AdminHosts, "names", "a list of host names", parseHost),
		},
		{
			"metrics", `""`,
			`A separate address for /metrics, /healthz and /readyz, such as 127.0.0.1:9100:
everyone who reaches it may read them. They are on the admin address too.
Empty: only there.`,
			one(&c.Metrics, "address", "an address and port", text, parseWeb),
		},
		{
			"http", `""`,
			`An address such as 0.0.0.0:8080 where GET /boot/NAME gives a device the same
file as TFTP does, subject to allow and rate. A request from one of proxies is
for the address in its header X-Forwarded-For; if no device can have that
address, the answer is status 400. Files that are served as they are have an
ETag and support Range requests, so that a broken download can be continued.
Empty: none.`,
			one(&c.HTTP, "address", "an address and port", text, parseWeb),
		},
		{
			"http_cert", `""`,
			`Certificate with its chain, PEM: boot files are served over HTTPS.`,
			path(&c.HTTPCert),
		},
		{
			"http_key", `""`,
			`Private key of http_cert, PEM.`,
			path(&c.HTTPKey),
		},
	}
}

// privilegeKeys are the keys about the server's privileges on its machine.
func (c *Config) privilegeKeys() []Key {
	return []Key{
		{
			"user", `""`,
			`The user to run as when started by root, from before anything but this file is
opened: NAME, NAME:GROUP or UID:GID. It must be able to read all files above;
devices_dir and the directory of admin's socket are given to it. Empty: stay
root. The systemd unit starts the server as dcs and needs no key.`,
			userName(&c.User),
		},
		{
			"sandbox", `auto`,
			`auto: before serving, give up what serving does not need, as far as the kernel
supports it: writing outside of devices_dir and the directory of admin's
socket (Landlock), and system calls such as starting programs (seccomp). With
plug-ins, which inherit this, it gives up less; the log says what. off: give
up nothing.`,
			one(&c.Sandbox, "auto|off", "auto or off", text, parseSandbox),
		},
	}
}

// logKeys are the keys about the log.
func (c *Config) logKeys() []Key {
	return []Key{
		{
			"log_format", `text`,
			`Format of the log: text (key=value) or json.`,
			one(&c.LogFormat, "text|json", "text or json", text, parseLogFormat),
		},
		{
			"log_level", `info`,
			`Lowest level that is logged: debug, info, warn or error. This key and the two
that follow are read again at SIGHUP.`,
			one(&c.LogLevel, "debug|info|warn|error", "debug, info, warn or error", text, ParseLogLevel),
		},
		{
			"log_requests", `off`,
			`Log a share of all requests, one line each: off, all, or a fraction such as
1/1000. Requests that get no file are always logged, ten of a kind a second.`,
			one(&c.LogRequests, "share", "off, all, or a share such as 1/1000", text, ParseShare),
		},
		{
			"log_devices", `[]`,
			`Log every request of these devices: MAC addresses, addresses or prefixes.`,
			many(&c.LogDevices, "devices", "a list of MAC addresses, addresses or prefixes", logging.ParseDevice),
		},
	}
}
