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
	index  *mib.Index
	secret *mic.Secret // nil: keyed MICs stay unchecked
	unset  bool        // secret is the empty one, because none is configured
	json   bool

	numeric bool // SNMP objects by their numbers
	titled  bool // print a line with the file's name first
}

func decodeCommand(e cli.Env) *cobra.Command {
	var o decodeOptions
	var names assemble.MIBNames
	var secretFile string
	var to decodeTo
	cmd := &cobra.Command{
		Use:   "decode FILE…",
		Short: "Print boot files as text that compiles to the same bytes",
		Long: `Print boot files as text that compiles to the same bytes, followed by a comment with
the verdict on each MIC: valid, INVALID, or unchecked if the secret is not known.
- is standard input. With -o, the text of each file is written below a directory, for a
template that is served under the file's name: of gold.cm and gold.bin to gold.dcs, of
another NAME to NAME.dcs, or to NAME.json. Files there that differ stay without --force.

The exit status is 1 if a file is damaged: if it cannot be read to its end, or a MIC is
INVALID. Whatever could be read is printed in any case, but what cannot be read to its end
is not written with -o.`,
		Example: `  dcs decode gold.cm --secret-file secret
  dcs decode /srv/tftp/*.cm -o /etc/dcs/library
  dcs decode --json *.bin | jq .name`,
		Args: cli.Arguments(1, -1),
		RunE: func(_ *cobra.Command, files []string) (err error) {
			if o.index, err = loadNames(e, &names); err != nil {
				return err
			}
			if secretFile != "" {
				if o.secret, err = loadSecret(e, secretFile); err != nil {
					return err
				}
			}
			to.Env, to.from, to.written = e, files, map[string]string{}
			to.dir = to.toFile() && (len(files) > 1 || isDir(to.out) || strings.HasSuffix(to.out, "/"))
			o.titled = len(files) > 1 && !to.dir
			var reported error
			for _, name := range files {
				file, err := cli.ReadSource(e, name, bootfile.MaxSize)
				if err == nil {
					err = notBootFile(cli.Title(name), file)
				}
				if err == nil {
					out := &bytes.Buffer{}
					err = showFile(out, cli.Title(name), file, o)
					if _, damage := tlv.Decode(file); damage != nil && to.toFile() {
						err = fmt.Errorf("%w; not written, as the text of a part would make a sound file", err)
					} else {
						err = errors.Join(to.write(name, out.Bytes(), o.json), err)
					}
				}
				if usageError(err) {
					return err
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
	f.StringVarP(&to.out, "output", "o", "", "write to this `file`, or below this directory")
	f.BoolVar(&to.force, "force", false, "with -o, replace files below the directory that differ")
	f.StringVar(&secretFile, "secret-file", "", "check the CMTS MIC with the secret in this `file`")
	f.BoolVar(&o.numeric, "numeric", false, "print SNMP objects by their numbers, with the names in comments")
	f.BoolVar(&o.json, "json", false, "print one JSON document per file")
	names.AddFlags(f)
	return cmd
}

// showFile prints a boot file. It returns an error if the file is damaged or a MIC is invalid.
func showFile(w io.Writer, name string, file []byte, o decodeOptions) error {
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
	var err error
	if o.json {
		err = showJSON(out, name, tree, o.index, marks)
	} else {
		err = showText(out, name, tree, o.index, marks, o)
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

func showText(out *bytes.Buffer, name string, tree *tlv.Tree, index *mib.Index, marks []describe.Mark, o decodeOptions) error {
	if o.titled {
		fmt.Fprintln(out, tlv.Comment(name))
	}
	if err := tree.Print(out, index, o.numeric); err != nil {
		return err
	}
	for _, m := range marks {
		text := m.Name + ": " + m.Verdict
		if m.Note != "" {
			text += ": " + m.Note
		}
		fmt.Fprintln(out, tlv.Comment(text))
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
