// Package config reads the server's YAML file and offers its keys as flags.
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
