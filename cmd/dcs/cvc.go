package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/describe"
	"dcs/render/library"
)

func cvcCommand(e cli.Env) *cobra.Command {
	return &cobra.Command{
		Use:   "cvc FILE…",
		Short: "Print code verification certificates",
		Long: `Print the code verification certificates of files: subject, issuer, serial number,
validity and usage. A file is a certificate in DER or PEM, a PKCS #7 chain, a firmware
image, or a boot file with ManufacturerCVC, CoSignerCVC or their chains. - is standard
input. Signatures are not verified.

The exit status is 1 if a file has no certificates, or one that cannot be read.`,
		Example: `  dcs cvc modem-firmware.bin
  dcs cvc gold.cm`,
		Args: cli.Arguments(1, -1),
		RunE: func(_ *cobra.Command, files []string) error {
			var reported error
			for i, name := range files {
				data, err := cli.ReadSource(e, name, library.MaxFile)
				if len(files) > 1 {
					if i > 0 {
						fmt.Fprintln(e.Stdout)
					}
					fmt.Fprintf(e.Stdout, "%s:\n", cli.Title(name))
				}
				if err == nil {
					if err = describe.Certificates(e.Stdout, data, time.Now()); err != nil {
						err = fmt.Errorf("%s: %w", cli.Title(name), err)
					}
				}
				if err != nil {
					report(e, err)
					reported = cli.ErrReported
				}
			}
			return reported
		},
	}
}
