package main

import (
	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/remote"
)

// settings are a verb's flags for the server's configuration: --config, and flags for keys.
type settings struct {
	file     string // the configuration; "": none
	standard string // the file without --config, --library and --static
	flags    *config.Flags
}

// whatToServe are the keys for what is served, for verbs that only examine it.
var whatToServe = []string{"library", "static", "secret_file"}

// addSettings adds the flag --config to cmd, and a flag for each of keys; without keys, a flag for every key.
func addSettings(cmd *cobra.Command, e cli.Env, keys ...string) *settings {
	s := &settings{standard: e.StandardConfig}
	cmd.Flags().StringVarP(&s.file, "config", "c", "",
		"the configuration `file` (default: "+remote.StandardConfig+", if neither --library nor --static is given)")
	s.flags = config.AddFlags(cmd.Flags(), keys...)
	return s
}

// load reads the configuration. An error of the flags alone is a [cli.UsageError].
func (s *settings) load() (config.Config, error) {
	if s.file == "" && !s.flags.Changed("library", "static") {
		var err error
		if s.file, err = remote.Installed(s.standard); err != nil {
			return config.Config{}, err
		}
		if s.file == "" {
			return config.Config{}, cli.Usagef("no configuration: %s does not exist; give --config FILE, --library DIR or --static DIR", remote.StandardConfig)
		}
	}
	cfg, err := s.flags.Config(s.file)
	if err != nil && s.file == "" {
		err = cli.UsageError{Err: err}
	}
	return cfg, err
}
