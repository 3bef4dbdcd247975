package main

import (
	"github.com/spf13/cobra"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/remote"
)

// settings is the server's configuration on the command line of a verb: --config, and flags for keys of it.
type settings struct {
	file     string // of the configuration; "": there is none
	standard string // the file if neither it nor what there is to serve is given
	flags    *config.Flags
}

// whatToServe are the keys that say what there is to serve, for verbs that only look at it.
var whatToServe = []string{"library", "static", "secret_file"}

// addSettings gives cmd the flag --config, and a flag for each of keys; for all keys if none is named.
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
