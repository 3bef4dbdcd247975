// Package config reads the server's YAML file and offers its keys as flags.
package config

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"dcs/cmd/internal/logging"
	"dcs/cmd/internal/strictyaml"
	"dcs/render/naming"
)

// Config is what the server is told. [Default] gives the values that stand where
// neither the file nor a flag says otherwise.
type Config struct {
	Listen       []netip.AddrPort // where requests arrive
	Transport    Transport
	Interfaces   []string       // where requests arrive, for XDP; empty: those that Listen's addresses are on
	Allow        []netip.Prefix // who may ask; empty: everyone
	Rate         float64        // requests per second that one source may make; 0: no limit
	RateBurst    int            // of them in a row; 0: DefaultBurst
	RatePrefixV4 int            // leading bits of an address that make a source
	RatePrefixV6 int
	Workers      int // 0: one per CPU

	SinglePort    bool
	DSCP          DSCP
	TIDPorts      PortRange // zero: ports that the system picks
	Transfers     int       // table size of one worker
	Retries       int
	MaxBlksize    int      // octets; 0: as much as a packet holds that is not fragmented
	MaxWindowsize int      // blocks
	Options       []string // that are granted
	StaleAfter    time.Duration
	ReceiveBuffer int // octets
	Drain         time.Duration

	Library []string // directories of sources
	Static  []string // directories of files served as they are
	Resign  []string // those of Static whose boot files are signed anew
	Lenient bool

	Names Names

	User    string // whom a server started as root becomes; empty: it stays root
	Sandbox Sandbox

	LearnedMemory int // octets; 0: as much as suits the machine

	MIBPath   []string
	MIBPrefer []string

	Timestamp    bool
	ModemAddress bool
	SecretFile   string // empty: the empty secret
	Secrets      string // the keyring's file, instead of SecretFile

	Devices Devices

	Admin          []string // each host:port or unix:/path; empty: no admin page
	AdminTokenFile string
	AdminCert      string
	AdminKey       string
	AdminClientCA  string
	AdminHosts     []string

	Metrics  string // host:port of the metrics alone; empty: on the admin address only
	HTTP     string // host:port of boot files over HTTP; empty: none
	HTTPCert string
	HTTPKey  string

	LogFormat   LogFormat
	LogLevel    slog.Level
	LogRequests int      // one request of how many is logged; 0: none
	LogDevices  []string // MAC addresses, addresses and prefixes of devices all of whose requests are
}

// Transport is how packets come in.
type Transport string

// The transports.
const (
	Auto   Transport = "auto"   // the best that the machine has
	XDP    Transport = "xdp"    // past the kernel's network stack, or not at all
	Socket Transport = "socket" // UDP sockets, one per worker
)

// PortRange is an inclusive range of UDP ports; the zero value is none.
type PortRange struct{ First, Last uint16 }

// Key is one setting: a key of the file, a flag, a paragraph of the example.
type Key struct {
	Name    string // as the file has it; the flag has dashes for underscores
	Default string // as the file would write it
	Doc     string // lines of at most 78 characters
	field   field
}

// Flag returns the name of the key's flag.
func (k Key) Flag() string { return strings.ReplaceAll(k.Name, "_", "-") }

// Keys returns every key in the order of the example, bound to the fields of c.
func (c *Config) Keys() []Key {
	return []Key{
		{
			"listen", `["0.0.0.0:69", "[::]:69"]`,
			`Addresses and ports to receive TFTP requests on. Ports below 1024 need root or
CAP_NET_BIND_SERVICE. An address that no interface has yet is served as soon
as one has it.`,
			many(&c.Listen, "addresses", "a list of addresses with ports", parseListen),
		},
		{
			"transport", `auto`,
			`How packets are received: xdp (AF_XDP, past the kernel's network stack; an
error if that is impossible), socket (UDP sockets), or auto: xdp where the
interface is known, its driver supports it and the server has the privileges,
else socket. The log says what was chosen, and why.`,
			one(&c.Transport, "auto|xdp|socket", "auto, xdp or socket", text, parseTransport),
		},
		{
			"interface", `[]`,
			`Network interfaces that requests arrive on, for xdp. VLANs on them are served
too: name the underlying device. A bond or team stands for its members, those
that join later included. Empty: the interfaces with the addresses of listen
at the start; for an address of a dummy or loopback interface, all interfaces
that have an address.`,
			many(&c.Interfaces, "interfaces", "a list of names of network interfaces", parseInterface),
		},
		{
			"allow", `[]`,
			`Who may send requests: a list of prefixes such as 10.0.0.0/8 or fd00::/8.
Others get no answer. Empty: everyone. A list without IPv6 prefixes excludes
IPv6. Applies to every transport and every interface.`,
			many(&c.Allow, "prefixes", "a list of prefixes such as 10.0.0.0/8", ParsePrefix),
		},
		{
			"rate", `2000`,
			`Requests answered per second and source, such as 2 or 0.5. Requests above the
rate are dropped, over TFTP and HTTP alike. Running transfers do not count.
Sources in proxies, and this host itself, have no rate. The default suits
sources that are whole CMTSes: use less if each source is one modem.
0: no limit.`,
			one(&c.Rate, "number", fmt.Sprintf("requests per second, 0 or %v to %v", minRate, maxRate), digits, parseRate),
		},
		{
			"rate_burst", `0`,
			`Requests that a source may send at once before its rate applies. 0: those of a
minute, at least 20; at the default rate 120000, two from each of 60,000
modems that ask at once.`,
			number(&c.RateBurst, 0, 1<<20),
		},
		{
			"rate_prefix_v4", `32`,
			`Leading bits of an IPv4 address that make a source: addresses with the same
prefix share one rate, and one limit of HTTP connections.`,
			number(&c.RatePrefixV4, 1, 32),
		},
		{
			"rate_prefix_v6", `64`,
			`The same for IPv6. Whoever has a subnet can use every address in it.`,
			number(&c.RatePrefixV6, 1, 128),
		},
		{
			"workers", `0`,
			`Workers, each with its own sockets and locked to a thread. 0: one per CPU.`,
			number(&c.Workers, 0, 1024),
		},
		{
			"single_port", `off`,
			`Answer from the port that was asked, not from a port per transfer, for modems
behind a firewall that passes only that port. Whoever forges a modem's address
can then have files sent to it, or end its transfers.`,
			boolean(&c.SinglePort),
		},
		{
			"tid_ports", `""`,
			`The range of UDP ports that transfers are answered from, such as 30000-30999.
It is divided among the workers; a secret hash of the client picks the port,
so the more ports, the harder to guess. Empty: 256 per worker; 96 where the
kernel cannot deliver them to one socket; fewer where descriptors or ports are
scarce. The system picks them.`,
			one(&c.TIDPorts, "ports", "a range of ports", textOrInteger, parsePorts),
		},
		{
			"dscp", `""`,
			`The DSCP (RFC 2474) of answers: 0 to 63, a name (cs0 to cs7, af11 to af43, ef,
va, le), or mirror: that of the request. Over HTTP, mirror leaves it to the
system (net.ipv4.tcp_reflect_tos). Empty: 0.`,
			one(&c.DSCP, "dscp", "a DSCP: 0 to 63, a name such as af41 or ef, or mirror", textOrInteger, parseDSCP),
		},
		{
			"transfers", `65536`,
			`Concurrent transfers per worker. A request above that evicts the transfer that
has waited longest for its first acknowledgement.`,
			number(&c.Transfers, 16, 1<<24),
		},
		{
			"retries", `5`,
			`How often an unacknowledged block is sent again before the transfer ends.`,
			number(&c.Retries, 1, 100),
		},
		{
			"max_blksize", `0`,
			`The largest block size granted, in octets. 0: the largest that no interface of
listen has to fragment, at an MTU of 1500 octets at most: 1468 over IPv4, 1448
over IPv6. A changed MTU takes effect within a second. Over AF_XDP a block
never exceeds the MTU.`,
			number(&c.MaxBlksize, 0, 65464),
		},
		{
			"max_windowsize", `8`,
			`The largest window (RFC 7440) granted, in blocks. It is lowered where a worker
has few ports for transfers, or retries are many: otherwise an attacker who
acknowledges in another's name and guesses the port would cause more than
three octets for each that he sends. With 256 ports and 5 retries: at most 10.`,
			number(&c.MaxWindowsize, 1, 65535),
		},
		{
			"options", `[blksize, timeout, tsize, windowsize]`,
			`TFTP options to grant; others are ignored.`,
			many(&c.Options, "options", "a list of blksize, timeout, tsize and windowsize", parseOption),
		},
		{
			"stale_after", `4s`,
			`Requests that have waited longer than this are dropped: their modem has asked
again. Set it to the modem's first retry. 0s: never.`,
			duration(&c.StaleAfter, 0, time.Minute),
		},
		{
			"receive_buffer", `32M`,
			`Receive buffer of each socket, in octets (k and M are 1024 and 1024 * 1024).
net.core.rmem_max limits it unless the server has CAP_NET_ADMIN.`,
			size(&c.ReceiveBuffer, 4<<10, 1<<30),
		},
		{
			"drain", `5s`,
			`How long running transfers may continue after SIGTERM.`,
			duration(&c.Drain, 0, 10*time.Minute),
		},
		{
			"library", `[]`,
			`Directories of templates and boot file sources: .dcs in the template language;
.cfg, .txt and .conf in the language of the open docsis encoder.`,
			paths(&c.Library),
		},
		{
			"static", `[]`,
			`Directories of files that are served as they are. A template with exactly the
requested name comes before a file, a file before templates whose pattern
matches. Of two files with the same name, the one in the first directory is
served. Symbolic links that lead outside of all these directories are refused.
Replace files by renaming. In a directory given as
{dir: /srv/tftp, resign: on} boot files get new MICs, with the secret of the
requesting modem's CMTS; flags name directories without resign.`,
			staticDirs(&c.Static, &c.Resign),
		},
		{
			"backslash", `on`,
			`Treat a backslash in a requested name as a slash, for clients that ask for
\boot\file. Leading slashes, // and /./ are ignored in any case, and a name
with /../ leads to no file. off: a backslash is an ordinary character.`,
			boolean(&c.Names.Backslash),
		},
		{
			"ignore_case", `off`,
			`Treat A to Z as a to z in requested names, in names of templates and static
files, in patterns and in rewrite. Captures are then in lower case. Two
templates, or two files in one directory, whose names become equal are an
error.`,
			boolean(&c.Names.IgnoreCase),
		},
		{
			"root", `[]`,
			`Directories whose files may also be requested by absolute names, as clients of
other servers do: with /tftpboot here, /tftpboot/x requests x. Directories of
static are included.`,
			many(&c.Names.Roots, "paths", "a list of absolute paths", parseRoot),
		},
		{
			"rewrite", `[]`,
			`Rules that rewrite requested names, applied in order. They see cleaned names
without @MAC (/a/x for //a/./x), with one slash in front if there was any, so
x and /x differ; over HTTP, the part after /boot/. A name with ".." gets no
file, whatever the rules say. Only for the file: there is no flag.
match is a regular expression (RE2); to replaces what it matches: $1 is the
first group; \U, \L and \E change letter case. repeat: on applies the rule
until it no longer matches; last: on skips the rules that follow; refuse: on
gives no file; unless, instead of match, selects names that do not match. A
name longer than 512 octets gets no file. "dcs check --remap FILE" converts a
map file of tftpd-hpa. This key and root are read again at SIGHUP. Example:
  - {match: '^[A-Za-z]:', to: ''}
  - {match: '^/old/(.*)\.cfg$', to: '$1.cm', last: on}`,
			rules(&c.Names.Rewrite),
		},
		{
			"lenient", `off`,
			`Accept a keyword in a block that it does not belong to, by its TLV code, as
the open encoder does, with a warning for each.`,
			boolean(&c.Lenient),
		},
		{
			"learned_memory", `0`,
			`Memory for recently requested names and what they resolve to, such as 256M.
0: 64M, or an eighth of the control group's limit if that is less. "dcs check"
lists what else uses memory.`,
			size(&c.LearnedMemory, 0, 1<<36),
		},
		{
			"mib_path", `[]`,
			`Directories of your own MIB modules, for SNMP names in templates, in addition
to the built-in ones. A module with an error is skipped, and so are templates
that use its names; "dcs check" says what is wrong.`,
			paths(&c.MIBPath),
		},
		{
			"mib_prefer", `[]`,
			`Modules whose names win if two modules define the same one, in order of
preference. Without it, CableLabs' modules win.`,
			many(&c.MIBPrefer, "modules", "a list of module names", parseName),
		},
		{
			"timestamp", `off`,
			`Add TLV 19, the time of the request, to every modem file that has none.`,
			boolean(&c.Timestamp),
		},
		{
			"modem_address", `off`,
			`Add TLV 20 (IPv4) or 59 (IPv6), the modem's address, to every modem file that
has none.`,
			boolean(&c.ModemAddress),
		},
		{
			"secret_file", `""`,
			`A file with the secret shared with the CMTS, for the CMTS MIC; a line end
after it is ignored. Mode 640 or less, owned by root or the server's user.
Empty: the empty secret.`,
			path(&c.SecretFile),
		},
		{
			"secrets", `""`,
			`A keyring instead of secret_file, mode 600: secrets by name, and which CMTS
has which (example: /usr/share/doc/dcs/secrets.yaml). The longest prefix that
contains the modem's address selects the CMTS. "dcs secret" replaces secrets.`,
			path(&c.Secrets),
		},
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
fixed name and read attributes: no request waits for a name to be learned, and
devices that would get no file are logged before they ask.`,
			boolean(&c.Devices.Prebuild),
		},
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

// Default returns the settings that stand where nothing else is said.
func Default() Config {
	var c Config
	var src strings.Builder
	for _, k := range c.Keys() {
		fmt.Fprintf(&src, "%s: %s\n", k.Name, k.Default)
	}
	if err := c.parse("defaults", []byte(src.String())); err != nil {
		panic("config: " + err.Error()) // a fault of the table, which the tests load
	}
	return c
}

// Differences returns the names of the keys that have another value in d.
func (c *Config) Differences(d *Config) (names []string) {
	theirs := d.Keys()
	for i, k := range c.Keys() {
		if !reflect.DeepEqual(k.field.value(), theirs[i].field.value()) {
			names = append(names, k.Name)
		}
	}
	return names
}

// Load reads the file over c's values. The error joins all that is wrong, each
// with file:line:column.
func (c *Config) Load(file string) error {
	src, err := strictyaml.ReadFile(file)
	if err != nil {
		return err
	}
	return c.parse(file, src)
}

// Validate finds what only shows when file and flags are taken together.
func (c *Config) Validate() error {
	var errs []error
	if len(c.Library)+len(c.Static) == 0 {
		errs = append(errs, errors.New("neither library nor static is set: there is nothing to serve"))
	}
	if c.Devices.Prebuild && len(c.Devices.Sources) == 0 {
		errs = append(errs, errors.New("prebuild is on, and there are no devices: name their sources"))
	}
	if len(c.Listen) == 0 {
		errs = append(errs, errors.New("listen is empty: nobody could ask"))
	}
	if c.SecretFile != "" && c.Secrets != "" {
		errs = append(errs, errors.New("secret_file and secrets are both set: the one is a single secret, the other a keyring"))
	}
	seen := map[netip.AddrPort]bool{}
	for _, a := range c.Listen {
		if seen[a] {
			errs = append(errs, fmt.Errorf("listen has %s twice", a))
		}
		seen[a] = true
	}
	if _, err := naming.New(naming.Config{IgnoreCase: c.Names.IgnoreCase, Rewrite: c.Names.Rewrite}); err != nil {
		errs = append(errs, err)
	}
	if err := c.operate(); err != nil {
		errs = append(errs, err)
	}
	if n := c.TIDPorts.Count(); c.SinglePort && n > 0 {
		errs = append(errs, errors.New("tid_ports has no effect while single_port is on: leave one of them away"))
	} else if n > 0 && n < 2*c.Workers {
		errs = append(errs, fmt.Errorf("tid_ports %s are %d ports for %d workers: every worker needs 2, and should have 256", c.TIDPorts, n, c.Workers))
	}
	return errors.Join(errs...)
}
