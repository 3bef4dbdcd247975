package main

import (
	"time"

	"github.com/spf13/pflag"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/check"
	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/render/library"
	"dcs/render/lint"
	"dcs/render/mic"
)

// lintFlags are the flags of dcs check that say how files are judged.
type lintFlags struct {
	check.Lint
	names   assemble.MIBNames
	docsis  string
	rules   bool
	lenient bool
}

func (l *lintFlags) add(f *pflag.FlagSet) {
	f.StringVar(&l.docsis, "docsis", "", "judge files for modems of this `version`: `1.0|1.1|2.0|3.0|3.1|4.0`")
	f.StringVar(&l.Format, "format", "text", "write findings as `text|json|sarif`")
	f.BoolVar(&l.Strict, "strict", false, "let warnings about files fail the check")
	f.BoolVar(&l.Notes, "notes", false, "print notes about files, too")
	f.BoolVar(&l.rules, "rules", false, "print the table of rules")
	f.BoolVar(&l.lenient, "lenient", false, "with FILE: accept a keyword in a block that it does not belong to, as the open encoder does")
	l.names.AddFlags(f)
}

// read reads the values of the flags.
func (l *lintFlags) read() (err error) {
	if l.Format != "text" && l.Format != "json" && l.Format != "sarif" {
		return cli.Usagef("--format %s: want text, json or sarif", l.Format)
	}
	if l.docsis != "" {
		if l.Version, err = lint.ParseVersion(l.docsis); err != nil {
			return cli.Usagef("--docsis: %w", err)
		}
	}
	l.Now = time.Now()
	return nil
}

// files judges single files.
func (l *lintFlags) files(e cli.Env, names []string, cfg *config.Config) error {
	l.Without, l.Classes = cfg.LintAllow, cfg.ServiceClasses
	lib := library.Config{Names: assemble.DefaultNaming, Lenient: l.lenient, Learned: 1}
	var err error
	if lib.MIB, err = l.names.Index(); err != nil {
		return l.Refused("", err, e.Stdout)
	}
	if cfg.SecretFile != "" {
		secret, err := loadSecret(e, cfg.SecretFile)
		if err != nil {
			return l.Refused(cfg.SecretFile, err, e.Stdout)
		}
		l.Secrets = []*mic.Secret{secret}
	}
	return check.Files(e, names, lib, l.Lint)
}
