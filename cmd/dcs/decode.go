package main

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/describe"
	"dcs/render/ber/mib"
	"dcs/render/bootfile"
	"dcs/render/mic"
	"dcs/render/tlv"
)

// decodeOptions control how a boot file is printed.
type decodeOptions struct {
	names  assemble.MIBNames
	secret *mic.Secret // nil: keyed MICs stay unchecked
	unset  bool        // secret is the empty one, because none is configured
	json   bool
	titled bool // print a line with the file's name first
}

func decodeCommand(e cli.Env) *cobra.Command {
	var o decodeOptions
	var secretFile string
	cmd := &cobra.Command{
		Use:   "decode FILE…",
		Short: "Print boot files as text that compiles to the same bytes",
		Long: `Print boot files as text that compiles to the same bytes, followed by a comment with
the verdict on each MIC: valid, INVALID, or unchecked if the secret is not known.
- is standard input.

The exit status is 1 if a file is damaged: if it cannot be read to its end, or a MIC is
INVALID. Whatever could be read is printed in any case.`,
		Example: `  dcs decode gold.cm --secret-file secret
  dcs decode --json *.bin | jq .name`,
		Args: cli.Arguments(1, -1),
		RunE: func(_ *cobra.Command, files []string) error {
			if secretFile != "" {
				var err error
				if o.secret, err = loadSecret(e, secretFile); err != nil {
					return err
				}
			}
			o.titled = len(files) > 1
			var reported error
			for _, name := range files {
				file, err := cli.ReadSource(e, name, bootfile.MaxSize)
				if err == nil {
					err = showFile(e.Stdout, cli.Title(name), file, o)
				}
				if err != nil {
					report(e, err)
					reported = cli.ErrReported
				}
			}
			return reported
		},
	}
	f := cmd.Flags()
	f.StringVar(&secretFile, "secret-file", "", "check the CMTS MIC with the secret in this `file`")
	f.BoolVar(&o.json, "json", false, "print one JSON document per file")
	o.names.AddFlags(f)
	return cmd
}

// showFile prints a boot file. It returns an error if the file is damaged or a MIC is invalid.
func showFile(w io.Writer, name string, file []byte, o decodeOptions) error {
	index, err := o.names.Index()
	if err != nil {
		return err
	}
	tree, damage := tlv.Decode(file)
	var marks []describe.Mark
	switch {
	case damage != nil:
	case tree.Dialect == tlv.PS:
		sum := mic.CableHomeHash(file)
		marks = []describe.Mark{{Name: "CableHome hash", Verdict: mic.Absent.String(), Want: hex.EncodeToString(sum[:]), Note: fmt.Sprintf("0x%x goes to the device by SNMP", sum)}}
	default:
		var report mic.Report
		if report, damage = mic.Verify(file, o.secret); damage != nil {
			unknown := mic.Result{Verdict: mic.Unchecked, Note: damage.Error()}
			report = mic.Report{CM: unknown, CMTS: unknown, MTA: unknown}
		}
		if o.unset && report.CMTS.Verdict == mic.Valid {
			report.CMTS.Note = "under the empty secret, as none is configured"
		}
		marks = describe.Verdicts(tree.Dialect, &report)
		unsignable(tree, file)
	}
	out := &bytes.Buffer{}
	if o.json {
		err = showJSON(out, name, tree, index, marks)
	} else {
		err = showText(out, name, tree, index, marks, o.titled)
	}
	if err != nil {
		return err
	}
	if _, err := w.Write(out.Bytes()); err != nil {
		return err
	}
	if damage != nil {
		return fmt.Errorf("%s: %w", name, damage)
	}
	var invalid []error
	for _, m := range marks {
		if m.Verdict == mic.Invalid.String() {
			invalid = append(invalid, fmt.Errorf("%s: the %s is wrong: %s; should be %s", name, m.Name, m.Found, m.Want))
		}
	}
	return errors.Join(invalid...)
}

// unsignable adds a deviation to a modem's file whose text does not compile because its extended CMTS MIC is not supported.
func unsignable(tree *tlv.Tree, file []byte) {
	if tree.Dialect != tlv.CM {
		return
	}
	body, _, err := mic.Body(file)
	if err == nil {
		_, err = mic.HasExtended(body)
	}
	if err == nil {
		return
	}
	offset := 0
	for _, n := range tree.Nodes {
		for _, c := range n.Children {
			if n.Code == 43 && c.Code == 6 {
				offset = c.Offset
			}
		}
	}
	tree.Deviations = append(tree.Deviations, tlv.Warning{Offset: offset, Text: "the compiler refuses it: " + strings.TrimPrefix(err.Error(), "mic: ")})
}

func showText(out *bytes.Buffer, name string, tree *tlv.Tree, index *mib.Index, marks []describe.Mark, titled bool) error {
	if titled {
		fmt.Fprintf(out, "# %s\n", strings.ReplaceAll(name, "\n", " "))
	}
	if err := tree.Print(out, index); err != nil {
		return err
	}
	for _, m := range marks {
		fmt.Fprintf(out, "# %s: %s", m.Name, m.Verdict)
		if m.Note != "" {
			fmt.Fprintf(out, ": %s", m.Note)
		}
		out.WriteByte('\n')
	}
	return nil
}

func showJSON(out *bytes.Buffer, name string, tree *tlv.Tree, index *mib.Index, marks []describe.Mark) error {
	file, err := tree.JSON(index)
	if err != nil {
		return err
	}
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(struct {
		Name string          `json:"name"`
		File json.RawMessage `json:"file"`
		MICs []describe.Mark `json:"mics,omitempty"`
	}{name, file, marks})
}
