package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"dcs/cmd/internal/cli"
	"dcs/render/bootfile"
	"dcs/render/mic"
	"dcs/render/tempfile"
	"dcs/render/tlv"
)

// maxDocument is the largest source of documents in octets.
const maxDocument = 64 << 20

// documentFlags are the flags that go with --json; all others are about templates.
var documentFlags = []string{"json", "output", "secret-file", "mta-hash", "mib-path", "mib-prefer"}

// checkDocumentFlags returns an error for a flag that has no meaning for documents.
func checkDocumentFlags(flags *pflag.FlagSet) error {
	var err error
	flags.Visit(func(f *pflag.Flag) {
		for _, ok := range documentFlags {
			if f.Name == ok {
				return
			}
		}
		err = cli.Usagef("--%s does not apply to --json: a document has no variables", f.Name)
	})
	return err
}

// documents compiles the documents that decode --json prints. signed is true if a secret is given, under which MICs are made anew.
func (c *compilation) documents(sources []string, signed bool) error {
	toDir := c.out != "" && c.out != cli.Stdio && (len(sources) > 1 || isDir(c.out) || strings.HasSuffix(c.out, "/"))
	var reported error
	made := 0
	for _, source := range sources {
		data, err := cli.ReadSource(c.Env, source, maxDocument)
		dec := json.NewDecoder(bytes.NewReader(data))
		for n := 0; err == nil; n++ {
			var doc json.RawMessage
			if err = dec.Decode(&doc); err != nil {
				if err == io.EOF && n > 0 {
					err = nil
					break
				}
				err = fmt.Errorf("%s: offset %d: no JSON document: %w", cli.Title(source), dec.InputOffset(), err)
				break
			}
			if made++; made > 1 && !toDir {
				return cli.Usagef("several boot files need a directory: -o DIR/")
			}
			err = c.document(source, doc, toDir, signed)
		}
		if usageError(err) {
			return err
		}
		if err != nil {
			report(c.Env, err)
			reported = cli.ErrReported
		}
	}
	return reported
}

// document compiles and writes one document.
func (c *compilation) document(source string, doc []byte, toDir, signed bool) error {
	outer := struct {
		Name string          `json:"name"`
		File json.RawMessage `json:"file"`
		MICs json.RawMessage `json:"mics"` // verdicts, which are not read
	}{}
	in := json.NewDecoder(bytes.NewReader(doc))
	in.DisallowUnknownFields()
	path := "file."
	if err := in.Decode(&outer); err != nil || outer.File == nil {
		outer.File, path = doc, "" // the tree alone
	}
	title := cli.Title(source)
	if outer.Name != "" && outer.Name != title {
		title += " (" + outer.Name + ")"
	}
	file, dialect, err := tlv.ReadJSON(outer.File, c.library.MIB, func(msg string) {
		fmt.Fprintf(c.Stderr, "%s: warning: %s%s\n", title, path, msg)
	})
	if err != nil {
		return fmt.Errorf("%s: %s%w", title, path, err)
	}
	if file, err = c.renew(title, file, dialect, signed); err != nil {
		return fmt.Errorf("%s: %w", title, err)
	}
	if len(file) > bootfile.MaxSize {
		return fmt.Errorf("%s: the file has %d octets, more than the %d that a boot file may have", title, len(file), bootfile.MaxSize)
	}
	if !toDir {
		return emit(c.Env, c.out, file)
	}
	name := filepath.Base(outer.Name)
	if outer.Name == "" || outer.Name == cli.Title(cli.Stdio) {
		name = strings.TrimSuffix(filepath.Base(source), ".json") + ".bin"
	}
	out, err := c.place(&step{source: source, name: name}, toDir)
	if err != nil {
		return err
	}
	return replaceFile(out, file, tempfile.CreateAmong)
}

// renew makes MICs or hash anew if a secret or a variant is given, and warns of those that are wrong otherwise.
func (c *compilation) renew(title string, file []byte, dialect tlv.Dialect, signed bool) ([]byte, error) {
	hasMIC := dialect == tlv.CM || dialect == tlv.DPoE
	switch {
	case signed && !hasMIC:
		return nil, fmt.Errorf("--secret-file does not apply to a file of dialect %v, which has no MIC", dialect)
	case dialect == tlv.MTA && c.hash != nil:
		return mic.SignMTA(file, *c.hash)
	case c.hash != nil:
		return nil, errors.New("--mta-hash applies only to MTA files, which begin and end with MtaConfigDelimiter")
	case signed:
		tree, err := tlv.DecodeAs(dialect, file)
		if err != nil {
			return nil, err
		}
		return mic.Sign(tree.AppendBody(nil), c.secret)
	case dialect == tlv.PS:
		return file, nil
	}
	report, err := mic.Verify(file, nil)
	switch {
	case err != nil:
		fmt.Fprintf(c.Stderr, "%s: warning: %s\n", title, err)
	case hasMIC && report.CM.Verdict != mic.Valid:
		fmt.Fprintf(c.Stderr, "%s: warning: the CM MIC is missing or not that of the file; --secret-file makes both MICs anew\n", title)
	case report.MTA.Verdict == mic.Invalid:
		fmt.Fprintf(c.Stderr, "%s: warning: the hash is not that of the file; --mta-hash makes it anew\n", title)
	}
	return file, nil
}
