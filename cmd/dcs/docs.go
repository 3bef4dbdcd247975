//go:build docs

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/cpuguy83/go-md2man/v2/md2man"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"dcs/cmd/internal/cli"
	"dcs/cmd/internal/config"
)

// docsCommand writes what packages carry beside the program. It is a verb of builds with the tag docs only: the program
// itself need not link what writes man pages.
func docsCommand(e cli.Env) []*cobra.Command {
	return []*cobra.Command{{
		Use:    "docs DIR",
		Short:  "Write man pages and shell completions",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			man1, man5 := filepath.Join(args[0], "man", "man1"), filepath.Join(args[0], "man", "man5")
			completion := filepath.Join(args[0], "completion")
			for _, dir := range []string{man1, man5, completion} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			header := &doc.GenManHeader{Section: "1", Source: "DCS", Manual: "DCS"}
			if err := doc.GenManTree(root, header, man1); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(man5, "dcs.yaml.5"), md2man.Render([]byte(configPage())), 0o644); err != nil {
				return err
			}
			if err := root.GenBashCompletionFileV2(filepath.Join(completion, "dcs.bash"), true); err != nil {
				return err
			}
			if err := root.GenZshCompletionFile(filepath.Join(completion, "_dcs")); err != nil {
				return err
			}
			return root.GenFishCompletionFile(filepath.Join(completion, "dcs.fish"), true)
		},
	}}
}

// configPage is the man page of the configuration, in the Markdown that md2man reads.
func configPage() string {
	var b strings.Builder
	b.WriteString(`dcs.yaml 5 "" DCS DCS
=====

# NAME
dcs.yaml - the configuration of dcs serve

# DESCRIPTION
A YAML file of the keys below, all optional, but that a **library** or **static** files must be given. Most are flags of
**dcs serve** too, with dashes for underscores; a flag goes before the file. A list of one may stand without brackets. Relative
paths begin at the file's directory. **dcs check --config** *FILE* says what is wrong with a file, and where.

SIGHUP (**systemctl reload dcs**) reads the library, the secrets and what else may change while the server runs.

# KEYS
`)
	var c config.Config
	for _, k := range c.Keys() {
		fmt.Fprintf(&b, "**%s**: %s\n: %s\n\n", k.Name, escape(k.Default), escape(strings.ReplaceAll(k.Doc, "\n", " ")))
	}
	b.WriteString("# SEE ALSO\n**dcs**(1), **dcs-serve**(1), **dcs-check**(1)\n")
	return b.String()
}

// escape takes what Markdown would read as markup for what it is.
func escape(s string) string {
	return strings.NewReplacer(`*`, `\*`, `_`, `\_`, `[`, `\[`, `]`, `\]`, `<`, `\<`, "`", "\\`").Replace(s)
}
