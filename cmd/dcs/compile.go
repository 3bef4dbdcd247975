package main

import (
	"cmp"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/mic"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

// compilation is one run of dcs compile.
type compilation struct {
	cli.Env
	out     string // -o
	name    string // requested file name; empty: as the source defines
	library library.Config
	hash    *mic.Variant // for all MTA files; nil: as each file specifies
	sum     bool         // print the hash of CableHome files
	secret  *mic.Secret
	values  skeleton.Values
	written map[string]string // source by path
	swept   map[string]bool   // directories without files that killed writers left
}

func compileCommand(e cli.Env) *cobra.Command {
	var (
		c                          = compilation{Env: e, written: map[string]string{}, swept: map[string]bool{}}
		n                          assemble.MIBNames
		secretFile, at, hash       string
		mac, ip, server            string
		set                        []string
		lenient, timestamp, modems bool
		documents                  bool
	)
	cmd := &cobra.Command{
		Use:   "compile FILE…",
		Short: "Compile boot files",
		Long: `Compile boot files from sources: files, - for standard input, or directories, which
are read as the server reads a library. .cfg, .txt and .conf files are in the language of
the open docsis encoder, all others in the template language.

The file of a single source goes to standard output unless -o is given. From several
sources, or a directory, every template with a fixed name is written below the directory
given by -o: as NAME.cm for a modem's file without a name, NAME.bin for others, where NAME
is that of the source. A source with errors does not stop the others; the exit status is
then 1.`,
		Example: `  dcs compile gold.cfg -o gold.cm --secret-file secret
  dcs compile /etc/dcs/library -o /srv/tftp
  dcs compile tiers.dcs --name res-cpe4-gold.bin --ip 10.1.2.3 --set down=50 | dcs decode -`,
		Args: cli.Arguments(1, -1),
		RunE: func(cmd *cobra.Command, sources []string) error {
			key := []byte(nil)
			c.secret = mic.NewSecret(key)
			now := time.Now()
			var err error
			flags := cmd.Flags()
			if documents {
				if err := checkDocumentFlags(flags); err != nil {
					return err
				}
			}
			if flags.Changed("time") {
				if now, err = time.Parse(time.RFC3339, at); err != nil {
					return cli.Usagef("--time %s: want RFC 3339, such as 2026-01-31T12:00:00Z", at)
				}
			}
			c.values.Now = now.UnixNano()
			if flags.Changed("ip") {
				if c.values.IP, err = parseAddr("ip", ip); err != nil {
					return err
				}
			}
			if flags.Changed("server") {
				if c.values.Server, err = parseAddr("server", server); err != nil {
					return err
				}
			}
			if flags.Changed("mac") {
				if c.values.MAC, err = parseMAC(mac); err != nil {
					return err
				}
			}
			if flags.Changed("mta-hash") {
				v, err := mic.ParseVariant(hash)
				if err != nil {
					return cli.Usagef("--mta-hash %s: want na, eu, ietf or none", hash)
				}
				c.hash = &v
			}
			if c.library.Schema, c.values.Attrs, err = attributes(set, flags); err != nil {
				return err
			}
			if c.library.MIB, err = loadNames(e, &n); err != nil {
				return err
			}
			if secretFile != "" {
				if c.secret, err = loadSecret(e, secretFile); err != nil {
					return err
				}
			}
			if documents {
				return c.documents(sources, secretFile != "")
			}
			c.library.Names = assemble.DefaultNaming
			c.library.Lenient, c.library.Timestamp, c.library.ModemAddress = lenient, timestamp, modems
			return c.run(sources)
		},
	}
	f := cmd.Flags()
	f.StringVarP(&c.out, "output", "o", "", "write to this `file`, or below this directory; - is standard output")
	f.StringVar(&secretFile, "secret-file", "", "sign with the secret in this `file` (default: the empty secret)")
	f.StringVar(&c.name, "name", "", "compile the file that a modem requests by this `name`")
	f.StringArrayVar(&set, "set", nil, "give a variable a value: `name=value`")
	f.StringVar(&mac, "mac", "", "the modem's MAC `address`, if the name contains none")
	f.StringVar(&ip, "ip", "", "the modem's IP `address`")
	f.StringVar(&server, "server", "", "the `address` that the modem sends its request to: $server in templates")
	f.StringVar(&at, "time", "", "the `time` of the request, RFC 3339 (default: now)")
	f.StringVar(&hash, "mta-hash", "", "put this hash into MTA files: `na|eu|ietf|none`")
	f.BoolVar(&c.sum, "hash", false, "print the SHA-1 of CableHome files, which their devices get by SNMP; without -o, instead of the file")
	f.BoolVar(&lenient, "lenient", false, "accept what the open encoder accepts, such as a keyword in a block that it does not belong to, with a warning each")
	f.BoolVar(&documents, "json", false, "compile the documents that decode --json prints; MICs are made anew only if --secret-file is given")
	f.BoolVar(&timestamp, "timestamp", false, "add TLV 19 to modem files that lack it")
	f.BoolVar(&modems, "modem-address", false, "add TLV 20 or 59 to modem files that lack them")
	n.AddFlags(f)
	return cmd
}

// parseAddr parses the address given by a flag. It converts an IPv4-mapped IPv6 address to IPv4.
func parseAddr(flag, text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil {
		return a, cli.Usagef("--%s %s: want an IPv4 or IPv6 address", flag, text)
	}
	return a.Unmap(), nil
}

func parseMAC(text string) (device.MAC, error) {
	m, err := device.ParseMAC(text)
	if err != nil {
		return m, cli.Usagef("--mac %s: %v; want six octets, such as 0a:01:02:03:04:05", text, err)
	}
	return m, nil
}

// builtins maps the variables that are not attributes to the flags that set them.
var builtins = map[string]string{"ip": "ip", "mac": "mac", "server": "server", "time": "time", "filename": "name"}

// attributes returns the device attributes given by --set as name=value.
func attributes(set []string, flags *pflag.FlagSet) (*attr.Schema, attr.Record, error) {
	var names []string
	var record attr.Record
	for _, s := range set {
		name, value, ok := strings.Cut(s, "=")
		if !ok || name == "" {
			return nil, nil, cli.Usagef("--set %s: want name=value", s)
		}
		if flag, ok := builtins[name]; ok {
			if flags.Lookup(flag) == nil {
				return nil, nil, cli.Usagef("--set %s: $%s is not an attribute of the device; it follows from the request", s, name)
			}
			return nil, nil, cli.Usagef("--set %s: $%s is not an attribute of the device; use --%s %s", s, name, flag, value)
		}
		names, record = append(names, name), append(record, value)
	}
	schema, err := attr.NewSchema(names...)
	if err != nil {
		return nil, nil, cli.Usagef("--set: %w", err)
	}
	return schema, record, nil
}

// render makes the file called name. Like the server, it splits @MAC off the name given by --name. That device takes precedence
// over one that a pattern finds in the name, which takes precedence over --mac.
func (c *compilation) render(snap *library.Snapshot, name string, scratch *skeleton.Scratch) ([]byte, error) {
	v := c.values
	ask, mac := []byte(name), device.MAC{}
	if c.name != "" {
		asked := assemble.DefaultNaming.Read(ask, true, new(naming.Scratch))
		ask, mac = asked.File, asked.MAC
	}
	found := snap.Find(ask)
	if found == nil {
		return nil, fmt.Errorf("no template makes %s", name)
	}
	v.MAC = mac.Or(found.MAC).Or(v.MAC)
	found.Fill(&v)
	skel, fault := snap.Exact(found, v.Attrs, v.IP.Is6()) // few names of a pattern are compiled at once
	var file []byte
	if fault == nil {
		file, fault = skel.Build(nil, &v, scratch)
	}
	if fault == nil {
		file, fault = skel.Sign(file, c.secret, scratch)
	}
	switch {
	case fault != nil && fault.Reason == skeleton.Missing:
		return nil, fmt.Errorf("%w; give it with --ip, --server or --set name=value", fault)
	case fault != nil:
		return nil, fault
	}
	if c.sum && skel.Kind != skeleton.PortalFile {
		return nil, fmt.Errorf("%s: --hash applies only to CableHome files", found.Template.Pos())
	}
	if c.hash == nil || skel.Kind == skeleton.PlainFile {
		return file, nil
	}
	if skel.Kind != skeleton.MTAFile {
		return nil, fmt.Errorf("%s: --mta-hash applies only to MTA files, which begin and end with MtaConfigDelimiter", found.Template.Pos())
	}
	file, err := mic.SignMTA(file, *c.hash)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmp.Or(found.Template.Pos().String(), name), err)
	}
	return file, nil
}

func isDir(name string) bool {
	info, err := os.Stat(name)
	return name != cli.Stdio && err == nil && info.IsDir()
}
