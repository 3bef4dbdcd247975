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
			`Addresses and ports where TFTP requests arrive. Ports below 1024 need root or
the capability CAP_NET_BIND_SERVICE. An address that no interface has yet is
served as soon as one has it.`,
			many(&c.Listen, "addresses", "a list of addresses with ports", parseListen),
		},
		{
			"transport", `auto`,
			`How packets come in: xdp (past the kernel's network stack; an error where that
cannot be had), socket (UDP sockets), or auto: xdp where the interface is
known, its driver can and the server may, else sockets. The log says what was
chosen and why.`,
			one(&c.Transport, "transport", "auto, xdp or socket", text, parseTransport),
		},
		{
			"interface", `[]`,
			`The network interfaces where requests arrive, for xdp. VLANs on them are
served too: give the device that they lie on. A bond or team stands for its
members, those that come later among them. Empty: those that have the
addresses of listen when the server starts or, for an address of a dummy or
loopback interface, all that have an address.`,
			many(&c.Interfaces, "interfaces", "a list of names of network interfaces", parseInterface),
		},
		{
			"allow", `[]`,
			`Who may ask: a list of prefixes such as 10.0.0.0/8 or fd00::/8. Others get no
answer. Empty: everyone. A list without IPv6 prefixes shuts IPv6 out. Holds
with every transport, and for what comes in by other interfaces too.`,
			many(&c.Allow, "prefixes", "a list of prefixes such as 10.0.0.0/8", ParsePrefix),
		},
		{
			"rate", `2000`,
			`How many requests a second are answered for each source, such as 2 or 0.5;
what comes above that is dropped, over TFTP and HTTP alike. Running transfers
do not count. Sources in proxies have no rate, nor has this host itself. The
default is for a source that is a whole CMTS: give less where each modem is
one. 0: no limit.`,
			one(&c.Rate, "number", fmt.Sprintf("requests per second, 0 or %v to %v", minRate, maxRate), digits, parseRate),
		},
		{
			"rate_burst", `0`,
			`How many requests a source may make in a row before its rate counts. 0: those
of a minute, and at least 20; at the default rate 120000, two from each of
60,000 modems that ask at once.`,
			number(&c.RateBurst, 0, 1<<20),
		},
		{
			"rate_prefix_v4", `32`,
			`How many leading bits of an IPv4 address make a source: all addresses of such
a prefix share one rate, and one limit of connections over HTTP.`,
			number(&c.RatePrefixV4, 1, 32),
		},
		{
			"rate_prefix_v6", `64`,
			`Likewise of an IPv6 address. Whoever has a subnet has every address of it.`,
			number(&c.RatePrefixV6, 1, 128),
		},
		{
			"workers", `0`,
			`Workers, each with sockets of its own and locked to a thread. 0: one per CPU.`,
			number(&c.Workers, 0, 1024),
		},
		{
			"single_port", `off`,
			`Answer from the port that was asked instead of from a port per transfer, for
modems behind a firewall that lets only that port through. Who forges a
modem's address can then have files sent to it, or end its transfer.`,
			boolean(&c.SinglePort),
		},
		{
			"tid_ports", `""`,
			`The range of UDP ports that transfers are answered from, such as 30000-30999.
Each worker has its share, and a client one of these, by a secret: the more
there are, the less can be guessed. Empty: 256 for each worker, 96 where the
kernel cannot gather what comes to them, fewer where descriptors or ports are
scarce; the system picks them.`,
			one(&c.TIDPorts, "ports", "a range of ports", textOrInteger, parsePorts),
		},
		{
			"dscp", `""`,
			`The DSCP (RFC 2474) that answers carry: 0 to 63, a name (cs0 to cs7, af11 to
af43, ef, va, le), or mirror: that of the request. Over HTTP mirror leaves it
to the system (net.ipv4.tcp_reflect_tos). Empty: 0.`,
			one(&c.DSCP, "dscp", "a DSCP: 0 to 63, a name such as af41 or ef, or mirror", textOrInteger, parseDSCP),
		},
		{
			"transfers", `65536`,
			`Transfers that one worker has in hand at once. A request beyond that takes the
place of the one that has waited the longest for its first acknowledgement.`,
			number(&c.Transfers, 16, 1<<24),
		},
		{
			"retries", `5`,
			`How often an unacknowledged block is sent again before a transfer is given up.`,
			number(&c.Retries, 1, 100),
		},
		{
			"max_blksize", `0`,
			`The largest block that a client is granted, octets. 0: the largest that a
packet holds which no interface of listen fragments, at most one of 1500
octets: 1468 over IPv4, 1448 over IPv6. A change of an interface's MTU counts
within a second. Over AF_XDP a block is never longer than the MTU allows.`,
			number(&c.MaxBlksize, 0, 65464),
		},
		{
			"max_windowsize", `8`,
			`The largest window (RFC 7440) that a client is granted, blocks. It is less
where a worker's transfers have few ports, or retries are many: then whoever
acknowledges in another's name, guessing the port, would have more than three
octets sent for each of his. With 256 ports and 5 retries at most 10.`,
			number(&c.MaxWindowsize, 1, 65535),
		},
		{
			"options", `[blksize, timeout, tsize, windowsize]`,
			`The TFTP options that clients are granted; the others are passed over.`,
			many(&c.Options, "options", "a list of blksize, timeout, tsize and windowsize", parseOption),
		},
		{
			"stale_after", `4s`,
			`Requests that waited longer than this are dropped: their modem has asked
again. Set it to the modem's first retry. 0s: never.`,
			duration(&c.StaleAfter, 0, time.Minute),
		},
		{
			"receive_buffer", `32M`,
			`Room in each socket for requests that arrive faster than they are answered, in
octets (k and M are 1024 and 1024 * 1024). The system's net.core.rmem_max
limits it unless the server has CAP_NET_ADMIN.`,
			size(&c.ReceiveBuffer, 4<<10, 1<<30),
		},
		{
			"drain", `5s`,
			`How long running transfers may go on after SIGTERM.`,
			duration(&c.Drain, 0, 10*time.Minute),
		},
		{
			"library", `[]`,
			`Directories of boot file sources: .dcs in the template language; .cfg, .txt
and .conf as the open docsis encoder reads them.`,
			paths(&c.Library),
		},
		{
			"static", `[]`,
			`Directories of files that are served as they are. A template with a name of
its own goes before a file of that name, a file before all templates whose
pattern matches. Of two files of a name the one of the first directory counts.
Symbolic links that lead out of all these directories are refused.
Replace files by renaming others over them. In a directory that is written as
{dir: /srv/tftp, resign: on} boot files get new MICs, of the secret of the
asking modem's CMTS; a flag names directories without resign.`,
			staticDirs(&c.Static, &c.Resign),
		},
		{
			"backslash", `on`,
			`Read a backslash in the name of a request as a slash, for clients that write
\boot\file. Slashes in front, // and /./ mean nothing in any case, and a name
with /../ leads to no file. off: a backslash is a character like any other.`,
			boolean(&c.Names.Backslash),
		},
		{
			"ignore_case", `off`,
			`Read A to Z in names as a to z: in those of requests, of templates and of
static files, in patterns and in rewrite. What a pattern captures is in lower
case then. Two templates, or two files of a directory, that have one name so
are an error.`,
			boolean(&c.Names.IgnoreCase),
		},
		{
			"root", `[]`,
			`Directories whose files are also asked for by absolute names, as clients of
another server do: with /tftpboot here, /tftpboot/x asks for x. Those of
static are such in any case.`,
			many(&c.Names.Roots, "paths", "a list of absolute paths", parseRoot),
		},
		{
			"rewrite", `[]`,
			`Rules that rewrite the names of requests, in turn. They see clean names
without @MAC, /a/x for //a/./x: with one slash in front if there was any, so
that x and /x differ to them, and over HTTP x is what stands behind /boot/. A
name with ".." in it gets no file, whatever they say. Only this file can say
it, no flag.
match is an expression (RE2), to takes the place of what it finds: $1 is its
first group; \U, \L and \E change letter case. repeat: on does so until
nothing is found; last: on ends the rules; refuse: on gives no file; unless,
in place of match, is for names where the expression is not found. A name that
grows beyond 512 octets gets no file. "dcs check --remap FILE" writes the
rules that a map file of tftpd-hpa stands for. This key and root are read anew
at SIGHUP. For instance:
  - {match: '^[A-Za-z]:', to: ''}
  - {match: '^/old/(.*)\.cfg$', to: '$1.cm', last: on}`,
			rules(&c.Names.Rewrite),
		},
		{
			"lenient", `off`,
			`Accept a keyword in a block that is not its own, for its code, as the open
encoder does, with a warning each.`,
			boolean(&c.Lenient),
		},
		{
			"learned_memory", `0`,
			`How much memory the names may take that were asked for of late, with what they
were found to mean, such as 256M. 0: 64M, or an eighth of what the control
group allows the server if that is less. check tells what else takes memory.`,
			size(&c.LearnedMemory, 0, 1<<36),
		},
		{
			"mib_path", `[]`,
			`Directories of MIB modules of your own, for the SNMP names in sources. They
are added to the names that are built in. A module with a fault is left out,
and so are the templates that use its names; "dcs check" says what is wrong.`,
			paths(&c.MIBPath),
		},
		{
			"mib_prefer", `[]`,
			`Modules whose names win where two modules define the same one, first first.
Without it, CableLabs' modules do.`,
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
			`A file with the secret that the CMTS shares, for the CMTS MIC; one line end
after it does not count. It must be of mode 640 or less, and of root or the
server's user. Empty: the empty secret.`,
			path(&c.SecretFile),
		},
		{
			"secrets", `""`,
			`A keyring instead of secret_file, of mode 600: secrets by name, and which CMTS
holds which (an example: /usr/share/doc/dcs/secrets.yaml). The longest prefix
around a modem's address says which CMTS that is. "dcs secret" replaces them.`,
			path(&c.Secrets),
		},
		{
			"devices", `[]`,
			`Where the attributes of devices come from: a list of sources, each attribute
from the first that has it. Only this file can say it, no flag. dcs-devices(7)
has every setting of each source. One that loses more than a fifth of its
devices, or of an attribute's values, within a day is held back until
"dcs devices reload --force" accepts that. For instance:
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
			`The directory of the snapshot of all devices, which serves while a source is
down, after a start too. Only one server may use it. Empty: devices in
systemd's state directory ($STATE_DIRECTORY), else in /var/lib/dcs.`,
			path(&c.Devices.Dir),
		},
		{
			"proxies", `[]`,
			`Prefixes of the CMTSes that may tell for which modem a request is, by the TFTP
options hwaddr and netaddr: netaddr is then the modem's address, $ip, instead
of the packet's source. Others' options are not believed.`,
			many(&c.Devices.Proxies, "prefixes", "a list of prefixes", ParsePrefix),
		},
		{
			"bind", `log`,
			`What becomes of a request that names a device, by NAME@MAC, by a group mac of
a pattern or by the option hwaddr, and comes from an address that devices give
to another device, or while they give the named one another address: log (it
is answered and logged), refuse (it gets TFTP ERROR 2 or HTTP status 403), or
off. A device behind two CMTSes of the keyring within a minute is logged.`,
			one(&c.Devices.Bind, "rule", "off, log or refuse", text, parseBind),
		},
		{
			"mac_in_name", `on`,
			`Whether NAME@MAC asks for the file NAME of the device MAC. off: it is a name
like any other. A group mac of a template's pattern names a device anyway.
This key and bind are read anew at SIGHUP.`,
			boolean(&c.Devices.MACInName),
		},
		{
			"prebuild", `off`,
			`Render the file of every device ahead, for all templates with names of their
own that read attributes: nothing has to be learned when a modem asks, and
devices that would get no file are told in the log before they ask.`,
			boolean(&c.Devices.Prebuild),
		},
		{
			"admin", `[]`,
			`Where the admin page and API are: a list of addresses such as 127.0.0.1:8069
and sockets such as unix:/run/dcs/admin.sock, which the verbs of dcs prefer.
A socket takes changes from everybody whom its permissions let in, an address
only with admin_token_file or admin_client_ca. An address that other machines
can reach needs one of these in any case. Empty: nowhere.`,
			adminAddresses(&c.Admin),
		},
		{
			"admin_token_file", `""`,
			`A file with the token that the admin page and API ask for, of mode 600, made
for instance by "openssl rand -hex 32". One that is replaced counts at once
and ends all sessions. Empty: none is asked for.`,
			path(&c.AdminTokenFile),
		},
		{
			"admin_cert", `""`,
			`A certificate with its chain, in PEM: the admin page and API speak HTTPS.`,
			path(&c.AdminCert),
		},
		{
			"admin_key", `""`,
			`The private key of admin_cert, in PEM.`,
			path(&c.AdminKey),
		},
		{
			"admin_client_ca", `""`,
			`Authorities in PEM: the admin page and API want a client certificate that one
of them has signed. It needs admin_cert.`,
			path(&c.AdminClientCA),
		},
		{
			"admin_hosts", `[]`,
			`Names by which browsers reach the admin page, beside addresses, localhost, the
machine's own name and the names in admin_cert. Requests to other names are
refused: they come from a page that has its own name point here.`,
			many(&c.AdminHosts, "names", "a list of host names", parseHost),
		},
		{
			"metrics", `""`,
			`An address of its own for /metrics, /healthz and /readyz, such as
127.0.0.1:9100: whoever reaches it may read them. They are on the admin
address too. Empty: there alone.`,
			one(&c.Metrics, "address", "an address and port", text, parseWeb),
		},
		{
			"http", `""`,
			`An address such as 0.0.0.0:8080 where GET /boot/NAME gives a device the same
file as TFTP does. Those in allow may ask, at the same rate. A request that
comes from one of proxies is for the address in its header X-Forwarded-For;
where that is none that a device can have, the answer is status 400. Files
that are served as they are have an ETag and come in parts too (Range), so
that a broken download goes on where it ended. Empty: none.`,
			one(&c.HTTP, "address", "an address and port", text, parseWeb),
		},
		{
			"http_cert", `""`,
			`A certificate with its chain, in PEM: boot files come over HTTPS.`,
			path(&c.HTTPCert),
		},
		{
			"http_key", `""`,
			`The private key of http_cert, in PEM.`,
			path(&c.HTTPKey),
		},
		{
			"user", `""`,
			`Whom the server runs as when root starts it, from before it opens anything but
this file: NAME, NAME:GROUP or UID:GID. That user must be able to read all the
files above; devices_dir and the directory of admin's socket are given to it.
Empty: it stays root. The unit starts it as the user dcs, and needs no key.`,
			userName(&c.User),
		},
		{
			"sandbox", `auto`,
			`auto: before it serves, the server gives up what serving does not take, as far
as the kernel can: writing outside of devices_dir and the directory of admin's
socket (Landlock), and system calls, such as starting programs (seccomp). With
plug-ins, which the same would hold for, it gives up less; the log says what.
off: it gives up nothing.`,
			one(&c.Sandbox, "word", "auto or off", text, parseSandbox),
		},
		{
			"log_format", `text`,
			`How the log's lines look: text (key=value) or json.`,
			one(&c.LogFormat, "format", "text or json", text, parseLogFormat),
		},
		{
			"log_level", `info`,
			`What the log tells: debug, info, warn or error, and all that is worse. This
key and the two that follow are read anew at SIGHUP.`,
			one(&c.LogLevel, "level", "debug, info, warn or error", text, ParseLogLevel),
		},
		{
			"log_requests", `off`,
			`Log a share of all requests, one line each: off, all, or one of many such as
1/1000. Requests that get no file are logged anyway, ten a second of a kind.`,
			one(&c.LogRequests, "share", "off, all, or a share such as 1/1000", text, ParseShare),
		},
		{
			"log_devices", `[]`,
			`Log every request of some devices: MAC addresses, addresses or prefixes.`,
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
