package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/progress"
	"dcs/render/attr"
	"dcs/render/attr/csvfile"
	"dcs/render/attr/localdb"
	"dcs/render/device"
	"dcs/render/mapped"
)

func devicesCommand(e cli.Env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "devices",
		Short: "Build and inspect device databases; reload device sources",
		Long: `Build and inspect device databases: one binary file with all devices, indexed by MAC and
IP address, for the source localdb or to inspect what a source supplies. Or reload the
device sources of a running server.`,
	}
	return cli.Group(cmd, devicesBuildCommand(e), devicesGetCommand(e), devicesStatCommand(e), devicesReloadCommand(e))
}

func devicesBuildCommand(e cli.Env) *cobra.Command {
	var csv, comma, file, name, out string
	cmd := &cobra.Command{
		Use:   "build",
		Short: "Build a database of all devices of a source",
		Long: `Build a database of all devices of a source: a CSV file, or one of the configuration's
sources. The file is written to a temporary name and renamed when complete; memory does
not grow with the number of devices. Rows that are not devices are skipped and reported;
too many of them fail the build.`,
		Example: `  dcs devices build --csv fleet.csv -o fleet.db
  dcs devices build --config /etc/dcs/dcs.yaml --source postgres -o fleet.db`,
		Args: cli.Arguments(0, 0),
	}
	f := cmd.Flags()
	f.StringVar(&csv, "csv", "", "the CSV `file`")
	f.StringVar(&comma, "comma", ",", "the `character` between fields of the CSV file")
	f.StringVarP(&file, "config", "c", "", "a configuration `file` with sources")
	f.StringVar(&name, "source", "", "the `name` of the source, if the configuration has several")
	f.StringVarP(&out, "output", "o", "", "the `file` to write")
	cmd.RunE = func(*cobra.Command, []string) error {
		if out == "" || (csv == "") == (file == "") || len(comma) != 1 {
			return cli.Usagef("give -o FILE and either --csv FILE or --config FILE; --comma is one character")
		}
		src := attr.Source(csvfile.New(csvfile.Config{Path: csv, Comma: comma[0]}))
		read := []string{csv}
		if file != "" {
			var from config.DeviceSource
			var err error
			if src, from, err = namedSource(e, file, name); err != nil {
				return err
			}
			read = append(filesOf(&from), file)
		}
		if err := spare(out, read); err != nil {
			return err
		}
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		began := time.Now()
		built, err := assemble.BuildDevices(ctx, e.Stderr, out, src)
		err = errors.Join(err, src.Close())
		for _, why := range built.Rejected.First {
			fmt.Fprintf(e.Stderr, "rejected: %s\n", why)
		}
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(e.Stdout, "%s: %d devices, %d octets, %d rejected, %d duplicates, %v\n", out, built.Devices, built.Bytes,
			built.Rejected.Rows, built.Duplicates, time.Since(began).Round(time.Millisecond))
		return err
	}
	return cmd
}

// namedSource returns the configured source called name, or the only one if name is empty.
func namedSource(e cli.Env, file, name string) (attr.Source, config.DeviceSource, error) {
	none := config.DeviceSource{}
	cfg := config.Default()
	if err := cfg.Load(file); err != nil {
		return nil, none, err
	}
	sources, err := assemble.OpenSources(cfg.Devices.Sources, slog.New(slog.NewTextHandler(progress.Above(e.Stderr), nil)))
	if err != nil {
		return nil, none, err
	}
	var names []string
	for i, s := range sources {
		if s.Name() == name || name == "" && len(sources) == 1 {
			return s, cfg.Devices.Sources[i], nil
		}
		names = append(names, s.Name())
	}
	if len(names) == 0 {
		return nil, none, fmt.Errorf("%s has no device sources", file)
	}
	return nil, none, cli.Usagef("give --source, one of: %s", strings.Join(names, "; "))
}

// filesOf returns the files that a source reads and that a build must not replace. A device database is not among them: the build
// would replace it with one of the same devices.
func filesOf(s *config.DeviceSource) []string {
	switch {
	case s.CSV != nil:
		return []string{s.CSV.Path}
	case s.SQL != nil && s.SQL.Driver == "sqlite":
		path, _, _ := strings.Cut(strings.TrimPrefix(s.SQL.DSN.Reveal(), "file:"), "?")
		return []string{path, s.SQL.DSNFile}
	}
	return nil
}

// spare returns an error if out is one of the files in read, under any name.
func spare(out string, read []string) error {
	there, err := os.Stat(out)
	if err != nil {
		return nil // it does not exist, or the build reports the error
	}
	for _, name := range read {
		if info, err := os.Stat(name); err == nil && os.SameFile(info, there) {
			return cli.Usagef("-o %s would replace %s, which the build reads; use another file", out, name)
		}
	}
	return nil
}

func devicesGetCommand(e cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "get FILE ADDRESS",
		Short: "Show a device of a database, by MAC or IP address",
		Example: `  dcs devices get fleet.db 0a:01:02:03:04:05
  dcs devices get fleet.db 10.1.2.3`,
		Args: cli.Arguments(2, 2),
		RunE: func(_ *cobra.Command, args []string) error {
			mac, noMAC := device.ParseMAC(args[1])
			ip, noIP := netip.ParseAddr(args[1])
			if noMAC != nil && noIP != nil {
				return cli.Usagef("%s is neither a MAC nor an IP address", args[1])
			}
			db, err := localdb.Open(args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			var text strings.Builder
			found := false
			err = mapped.Read(func() error {
				var d attr.Device
				if noMAC == nil {
					d, found = db.Get(mac, nil)
				} else {
					d, found = db.GetIP(ip, nil)
				}
				if err := db.Damaged(); err != nil || !found {
					return err
				}
				return showDevice(&text, &d, db.Names())
			})
			if err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			if !found {
				return fmt.Errorf("%s has no device %s", args[0], args[1])
			}
			_, err = io.WriteString(e.Stdout, text.String())
			return err
		},
	}
}

func showDevice(w io.Writer, d *attr.Device, names []string) error {
	var b strings.Builder
	fmt.Fprintln(&b, assemble.DeviceName(d))
	for i, v := range d.Values {
		if v != "" {
			fmt.Fprintf(&b, "%s = %q\n", names[i], v)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func devicesStatCommand(e cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "stat FILE",
		Short: "Show what a database contains, and whether it is intact",
		Args:  cli.Arguments(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			db, err := localdb.Open(args[0])
			if err != nil {
				return err
			}
			defer db.Close()
			st := db.Stats()
			per := 0.0
			if st.Devices > 0 {
				per = float64(st.Bytes) / float64(st.Devices)
			}
			if _, err := fmt.Fprintf(e.Stdout, "devices     %d\nby MAC      %d\nby IP       %d\nduplicates  %d\nshared IPs  %d\noctets      %d (%.1f a device)\nattributes  %s\n",
				st.Devices, st.WithMAC, st.WithIP, st.Duplicates, st.SharedIPs, st.Bytes, per, strings.Join(db.Names(), ", ")); err != nil {
				return err
			}
			if err := db.Verify(context.Background()); err != nil {
				return fmt.Errorf("%s: %w", args[0], err)
			}
			_, err = fmt.Fprintln(e.Stdout, "checksums   valid")
			return err
		},
	}
}
