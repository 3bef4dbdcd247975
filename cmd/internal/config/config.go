// Package config reads the server's YAML file, and provides its keys as flags.
package config

import (
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"time"

	"dcs/cmd/internal/strictyaml"
)

// Config is the server's configuration. [Default] returns the values of keys that neither the file nor a flag sets.
type Config struct {
	Listen       []netip.AddrPort // addresses to receive requests on
	Transport    Transport
	Interfaces   []string       // for XDP; empty: those with the addresses of Listen
	BusyPoll     bool           // over AF_XDP
	Allow        []netip.Prefix // who may send requests; empty: everyone
	Rate         float64        // requests per second from one source; 0: no limit
	RateBurst    int            // requests in a row; 0: DefaultBurst
	RatePrefixV4 int            // leading bits of an address that identify a source
	RatePrefixV6 int
	Workers      int // 0: one per CPU

	SinglePort    bool
	DSCP          DSCP
	TIDPorts      PortRange // zero: the system picks ports
	Transfers     int       // table size of one worker
	Retries       int
	MaxBlksize    int      // octets; 0: as much as fits into an unfragmented packet
	MaxWindowsize int      // blocks
	Options       []string // options to grant
	StaleAfter    time.Duration
	ReceiveBuffer int // octets
	Drain         time.Duration

	Library []string // directories of sources
	Static  []string // directories of files served as they are
	Resign  []string // those of Static whose boot files get new MICs
	Lenient bool

	Names Names

	User    string // user to become when started as root; empty: stay root
	Sandbox Sandbox

	LearnedMemory int // octets; 0: as the machine's memory allows

	MIBPath   []string
	MIBPrefer []string

	LintAllow      []string // rules of lint that are not applied
	ServiceClasses []string // that every CMTS has; empty: not known

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

	Metrics  string // host:port for metrics only; empty: on the admin address only
	HTTP     string // host:port for boot files over HTTP; empty: none
	HTTPCert string
	HTTPKey  string

	LogFormat   LogFormat
	LogLevel    slog.Level
	LogRequests int      // one of this many requests is logged; 0: none
	LogDevices  []string // MAC addresses, addresses and prefixes of devices whose requests are all logged
}

// Default returns the default settings.
func Default() Config {
	var c Config
	var src strings.Builder
	for _, k := range c.Keys() {
		fmt.Fprintf(&src, "%s: %s\n", k.Name, k.Default)
	}
	if err := c.parse("defaults", []byte(src.String())); err != nil {
		panic("config: " + err.Error()) // a mistake in the table, which the tests load
	}
	return c
}

// Differences returns the names of the keys whose values differ between c and d.
func (c *Config) Differences(d *Config) (names []string) {
	theirs := d.Keys()
	for i, k := range c.Keys() {
		if !reflect.DeepEqual(k.field.value(), theirs[i].field.value()) {
			names = append(names, k.Name)
		}
	}
	return names
}

// Load reads the file over c's values. The error joins all mistakes, each with file:line:column.
func (c *Config) Load(file string) error {
	src, err := strictyaml.ReadFile(file)
	if err != nil {
		return err
	}
	return c.parse(file, src)
}
