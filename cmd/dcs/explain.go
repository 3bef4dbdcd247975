package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/describe"
	"dcs/cmd/internal/terminal"
	"dcs/render"
	"dcs/render/attr"
	"dcs/render/device"
	"dcs/render/library"
	"dcs/render/lint/reason"
	"dcs/render/naming"
	"dcs/render/skeleton"
)

func explainCommand(e cli.Env) *cobra.Command {
	var (
		mac, ip, server string
		says            string
		set             []string
	)
	cmd := &cobra.Command{
		Use:   "explain NAME",
		Short: "Explain how a name is answered, and why",
		Long: `Explain which template or static file answers a name, and which others match; what the
pattern captures, where the value of each variable comes from, what a request fills in,
and what the file contains. A template with exactly that name comes first, then a static
file, which hides every template whose pattern matches, then the pattern with the highest
priority. The exit status is 1 if the name gets no file.

With --cmts-says, what keeps the modem from coming online: the causes of what its CMTS or
the modem itself says, first those that this very file shows. A state of the CMTS, such as
reject(c) or init(o), a confirmation code, an event such as I403.0 or 73040300, a BPKM
error, the provisioning state of an MTA, or a line of a log with one of these.`,
		Example: `  dcs explain isrrip8bw3.bin --config /etc/dcs/dcs.yaml --ip 10.1.2.3
  dcs explain isrrip8bw3.bin --config /etc/dcs/dcs.yaml --ip 10.1.2.3 --cmts-says 'reject(c)'`,
		Args: cli.Arguments(1, 1),
	}
	f := cmd.Flags()
	f.StringVar(&mac, "mac", "", "the modem's MAC `address`, if the name contains none")
	f.StringVar(&ip, "ip", "0.0.0.0", "the modem's IP `address`")
	f.StringVar(&server, "server", "", "the `address` that the modem sends its request to: $server in templates (default: 0.0.0.0 or ::)")
	f.StringVar(&says, "cmts-says", "", "rank why the modem does not come online, by this `word` of its CMTS or its log")
	f.StringArrayVar(&set, "set", nil, "give the device an attribute: `name=value`")
	settings := addSettings(cmd, e, whatToServe...)
	cmd.RunE = func(_ *cobra.Command, args []string) error {
		req := render.Request{Requester: device.Requester{Name: []byte(args[0])}}
		var err error
		if req.Client, err = parseAddr("ip", ip); err != nil {
			return err
		}
		if server != "" {
			if req.Server, err = parseAddr("server", server); err != nil {
				return err
			}
		}
		if mac != "" {
			if req.MAC, err = parseMAC(mac); err != nil {
				return err
			}
		}
		var word *reason.Word
		if says != "" {
			w, err := reason.Parse(says)
			if err != nil {
				return cli.Usagef("--cmts-says: %w", err)
			}
			word = &w
		}
		cfg, err := settings.load()
		if err != nil {
			return err
		}
		schema, record, err := attributes(set, f)
		if err != nil {
			return err
		}
		return explain(e, &cfg, req, schema, record, f.Changed("ip"), word)
	}
	return cmd
}

// explain prints how a request is answered. known is false if the client's address is a placeholder, as --ip was not given. With
// a word of the CMTS, it prints what that means for the file.
func explain(e cli.Env, cfg *config.Config, req render.Request, schema *attr.Schema, record attr.Record, known bool, word *reason.Word) error {
	secrets, err := assemble.ReadSecrets(cfg, nil)
	if err != nil {
		return err
	}
	for _, w := range secrets.Warnings {
		fmt.Fprintf(e.Stderr, "warning: %s\n", w)
	}
	lib, err := assemble.Library(cfg)
	for _, err := range assemble.Flatten(err) { // the server also starts without them
		fmt.Fprintf(e.Stderr, "warning: %v\n", err)
	}
	warnNames(e, lib.MIB)
	devices, err := assemble.OpenDevices(e.Stderr, cfg, schema, record)
	if err != nil {
		return err
	}
	defer devices.Close()
	engine, err := render.NewEngine(render.Config{Library: lib, Keyring: secrets.Ring, Devices: devices, Identity: assemble.IdentityOf(&cfg.Devices)})
	if engine == nil {
		return err
	}
	if err != nil { // a server that starts now would give the same answer
		report(e, err)
	}
	x := engine.Explain(time.Now().UnixNano(), req)
	for i := range x.Uses {
		switch u := &x.Uses[i]; {
		case u.Name == "ip" && !known:
			u.From = "the default, as no --ip is given"
		case u.Name == "server" && !req.Server.IsValid():
			u.From = "the default, as no --server is given"
		}
	}
	out := &bytes.Buffer{}
	showExplanation(out, x)
	found := devices.Show(out, attr.Query{MAC: x.MAC, IP: req.Client.Unmap()})
	unset := cfg.Secrets == "" && cfg.SecretFile == ""
	secret := secrets.Ring.Secret(req.Client.Unmap())
	if x.Body != nil && (x.Static == "" || x.Resigned) {
		fmt.Fprintln(out)
		if describe.IsText(x) {
			out.Write(x.Body)
		} else if err := showFile(out, terminal.Clean(x.Name), x.Body, decodeOptions{secret: secret, unset: unset, index: lib.MIB}); err != nil {
			return err
		}
	}
	if word != nil {
		k := describe.Known{Library: engine.Library(), MIB: lib.MIB, Secret: secret, NoSecret: unset, UnknownDevice: !found}
		if x.Err != nil {
			k.NoFile = why(x)
		}
		showDiagnosis(out, describe.Diagnose(*word, x, &k))
	}
	if _, err := e.Stdout.Write(out.Bytes()); err != nil {
		return err
	}
	if x.Err != nil {
		fmt.Fprintln(e.Stderr, why(x))
		return cli.ErrReported
	}
	return nil
}

// asked returns how a template is requested: by its pattern or the name of its file.
func asked(t *library.Template) string {
	if t.Pattern != "" {
		return "~ " + strconv.Quote(t.Pattern)
	}
	return fileName(t)
}

// why returns why a name gets no file.
func why(x *render.Explanation) string {
	if x.Mismatch != 0 && errors.Is(x.Err, x.Mismatch) {
		return fmt.Sprintf("%s: %v", terminal.Clean(x.Name), x.Err)
	}
	if x.Refusal != naming.Allowed {
		return fmt.Sprintf("%s: no file: %v", terminal.Clean(x.Asked), x.Refusal)
	}
	var fault *skeleton.Fault
	if errors.As(x.Err, &fault) {
		return fault.Error()
	}
	return fmt.Sprintf("%s: no template and no static file has this name", terminal.Clean(x.Name))
}

// otherDevice returns ", " and the device that has the request's address; "" if none is known.
func otherDevice(x *render.Explanation) string {
	if x.Other.IsZero() {
		return ""
	}
	return ", " + x.Other.String()
}

func showExplanation(w io.Writer, x *render.Explanation) {
	if x.Refusal != naming.Allowed {
		fmt.Fprintf(w, "asked     %s\n", terminal.Clean(x.Asked))
		return
	}
	if file, _ := naming.SplitDevice([]byte(x.Asked)); string(file) != x.Name && x.Asked != x.Name {
		fmt.Fprintf(w, "asked     %s\n", terminal.Clean(x.Asked))
	}
	fmt.Fprintf(w, "name      %s\n", terminal.Clean(x.Name))
	if !x.MAC.IsZero() {
		fmt.Fprintf(w, "MAC       %s\n", x.MAC)
	}
	if x.Mismatch != 0 {
		fmt.Fprintf(w, "identity  %s: %v%s\n", x.Mismatch.String(), x.Mismatch, otherDevice(x))
	}
	if x.Static != "" {
		how := "as it is"
		if x.Resigned {
			how = "with new MICs"
		}
		fmt.Fprintf(w, "static    %s, %d octets, served %s\n", terminal.Clean(x.Static), len(x.Body), how)
	}
	for i := range x.Matches {
		m := &x.Matches[i]
		label := "template "
		switch {
		case x.Static != "":
			label = "hides    "
		case i > 0:
			label = "also fits"
		}
		why := fmt.Sprintf("its pattern matches, priority %d", m.Template.Priority)
		if m.Literal {
			why = "the name is its own"
		}
		fmt.Fprintf(w, "%s %s: %s %s (%s)\n", label, m.Template.Pos(), m.Template.Item.Kind, asked(m.Template), why)
	}
	for i := 1; i < len(x.Captures); i++ {
		name := ""
		if x.Groups[i] != "" {
			name = " $" + x.Groups[i]
		}
		fmt.Fprintf(w, "capture   $%d%s = %q\n", i, name, x.Captures[i])
	}
	for _, u := range x.Uses {
		fmt.Fprintf(w, "variable  $%s = %q, from %s (%s)\n", u.Name, u.Value, u.From, u.Pos)
	}
	for _, s := range x.Slots {
		width := "varying width"
		if s.Width > 0 {
			width = fmt.Sprintf("%d octets", s.Width)
		}
		fmt.Fprintf(w, "slot      at %d, %s: %s (%s)\n", s.Offset, width, s.What, s.Pos)
	}
	if x.Body != nil && x.Static == "" {
		fmt.Fprintf(w, "file      %d octets\n", len(x.Body))
	}
}
