package main

import (
	"cmp"
	"encoding/hex"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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
	scratch skeleton.Scratch
	written map[string]string // source by path
}

func compileCommand(e cli.Env) *cobra.Command {
	var (
		c                          = compilation{Env: e, written: map[string]string{}}
		n                          assemble.MIBNames
		secretFile, at, hash       string
		mac, ip, server            string
		set                        []string
		lenient, timestamp, modems bool
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
			if c.library.MIB, err = n.Index(); err != nil {
				return err
			}
			if secretFile != "" {
				if c.secret, err = loadSecret(e, secretFile); err != nil {
					return err
				}
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
	f.BoolVar(&lenient, "lenient", false, "accept a keyword in a block that it does not belong to, as the open encoder does")
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

// run compiles all sources and reports their errors.
func (c *compilation) run(sources []string) error {
	single := len(sources) == 1 && !isDir(sources[0])
	toDir := c.out != "" && c.out != cli.Stdio && (!single || isDir(c.out) || strings.HasSuffix(c.out, "/"))
	switch {
	case !single && !toDir:
		return cli.Usagef("several boot files need a directory: -o DIR")
	case c.sum && c.out == cli.Stdio:
		return cli.Usagef("--hash writes to standard output, as -o - does: use -o FILE, or no -o for the hash only")
	case !single && c.name != "":
		return cli.Usagef("--name is for one file: give only the source that makes it")
	}
	if c.library.Learned = 1; !single {
		c.library.Learned = 1 << 20
	}
	var reported error
	for _, source := range sources {
		if err := c.source(source, toDir); err != nil {
			var usage cli.UsageError
			if errors.As(err, &usage) {
				return err
			}
			if !errors.Is(err, cli.ErrReported) {
				report(c.Env, err)
			}
			reported = cli.ErrReported
		}
	}
	return reported
}

// source compiles one source.
func (c *compilation) source(source string, toDir bool) error {
	snap, err := c.load(source)
	if snap != nil {
		for _, w := range snap.Warnings {
			fmt.Fprintf(c.Stderr, "%s: warning: %s\n", w.Pos, w.Msg)
		}
	}
	if err != nil {
		report(c.Env, err)
		if snap == nil || !isDir(source) {
			return cli.ErrReported
		}
	}
	for _, name := range c.wanted(snap, toDir) {
		if e := c.file(snap, source, name, toDir); e != nil {
			var usage cli.UsageError
			if errors.As(e, &usage) {
				return e
			}
			report(c.Env, e)
			err = cli.ErrReported
		}
	}
	if err == nil {
		err = c.noFile(snap, source, toDir)
	}
	return err
}

func (c *compilation) load(source string) (*library.Snapshot, error) {
	if isDir(source) {
		cfg := c.library
		cfg.Dirs = []string{source}
		return library.Load(cfg, nil)
	}
	src, err := cli.ReadSource(c.Env, source, library.MaxFile)
	if err != nil {
		return nil, err
	}
	return library.LoadFile(c.library, source, src)
}

// wanted returns the names of the files to make from a source: the name given by --name; else all fixed names if they are written
// to a directory; else the only one, nil if there is not exactly one.
func (c *compilation) wanted(snap *library.Snapshot, toDir bool) []string {
	if c.name != "" {
		return []string{c.name}
	}
	var named []string
	for _, t := range snap.Templates() {
		if len(t.Names) > 0 {
			named = append(named, fileName(t))
		}
	}
	if !toDir && len(named) != 1 {
		return nil
	}
	return named
}

// noFile returns why a source made no file; nil if that is not an error.
func (c *compilation) noFile(snap *library.Snapshot, source string, toDir bool) error {
	if c.name != "" || len(c.wanted(snap, toDir)) > 0 || isDir(source) {
		return nil
	}
	var named []string
	for _, t := range snap.Templates() {
		if len(t.Names) > 0 {
			named = append(named, t.Names[0])
		}
	}
	switch {
	case len(named) > 1:
		return cli.Usagef("%s makes %d files (%s): use --name NAME for one of them, or -o DIR/ for all", cli.Title(source), len(named), strings.Join(named, ", "))
	case len(snap.Templates()) > 0:
		return cli.Usagef("%s has patterns for names: use --name NAME to choose a file", cli.Title(source))
	case toDir:
		return nil // only blocks, for others to include
	}
	return fmt.Errorf("%s: no Main", cli.Title(source))
}

// file makes one file and writes it.
func (c *compilation) file(snap *library.Snapshot, source, name string, toDir bool) error {
	data, err := c.render(snap, name)
	if err != nil {
		return err
	}
	if !toDir {
		if !c.sum || c.out != "" {
			if err := emit(c.Env, c.out, data); err != nil {
				return err
			}
		}
		return c.printSum(c.out, data)
	}
	if name = strings.TrimLeft(name, "/"); !filepath.IsLocal(name) {
		return fmt.Errorf("%s: the name %s leads outside of %s", cli.Title(source), name, c.out)
	}
	path := filepath.Join(c.out, name)
	if other, taken := c.written[path]; taken {
		return fmt.Errorf("%s and %s both make %s; keeping the first", cli.Title(other), cli.Title(source), path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	c.written[path] = source
	if err := writeFile(path, data); err != nil {
		return err
	}
	return c.printSum(path, data)
}

// printSum prints the hash of a CableHome file if requested, with the file's path if it has one.
func (c *compilation) printSum(path string, data []byte) error {
	if !c.sum {
		return nil
	}
	sum := mic.CableHomeHash(data)
	line := hex.EncodeToString(sum[:])
	if path != "" {
		line += "  " + path
	}
	_, err := fmt.Fprintln(c.Stdout, line)
	return err
}

// render makes the file called name. Like the server, it splits @MAC off the name given by --name. That device takes precedence
// over one that a pattern finds in the name, which takes precedence over --mac.
func (c *compilation) render(snap *library.Snapshot, name string) ([]byte, error) {
	v := c.values
	ask, mac := []byte(name), device.MAC{}
	if c.name != "" {
		asked := assemble.DefaultNaming.Read(ask, true, new(naming.Scratch))
		ask, mac = asked.File, asked.MAC
	}
	found := snap.Find(library.Hash(ask), ask)
	if found == nil {
		return nil, fmt.Errorf("no template makes %s", name)
	}
	v.MAC = mac.Or(found.MAC).Or(v.MAC)
	skel, fault := snap.Skeleton(found, v.Attrs, v.IP.Is6())
	var file []byte
	if fault == nil {
		file, fault = skel.Build(nil, &v, &c.scratch)
	}
	if fault == nil {
		file, fault = skel.Sign(file, c.secret, &c.scratch)
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
