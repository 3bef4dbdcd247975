//go:build docs

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"
	cobradoc "github.com/spf13/cobra/doc"

	"dcs/cmd/dcs/doc"
	"dcs/cmd/dcs/doc/man"
	"dcs/cmd/internal/cli"
)

// docsCommand returns the verb docs, which writes what packages contain beside the program: man pages, the manual as HTML, and
// completions. Only builds with the tag docs have it, so that the packaged program does not link the generator of man pages.
func docsCommand(cli.Env) []*cobra.Command {
	return []*cobra.Command{{
		Use:    "docs DIR",
		Short:  "Write man pages, the manual as HTML, and shell completions",
		Hidden: true,
		Args:   cli.Arguments(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			man1, completion := filepath.Join(args[0], "man", "man1"), filepath.Join(args[0], "completion")
			for _, dir := range []string{man1, completion} {
				if err := os.MkdirAll(dir, 0o755); err != nil {
					return err
				}
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			date := buildDate()
			header := &cobradoc.GenManHeader{Section: "1", Source: "DCS", Manual: "DCS", Date: &date}
			if err := cobradoc.GenManTree(root, header, man1); err != nil {
				return err
			}
			if err := tidy(man1, date); err != nil {
				return err
			}
			if err := writeManual(args[0], date); err != nil {
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

// flagLine matches a flag in cobra's man pages: a paragraph whose second line begins with a superfluous tab.
var flagLine = regexp.MustCompile(`(?m)(?:^\.PP\n)?^(\\fB.*)\n\t`)

// tidy turns the flags in cobra's man pages into tagged paragraphs, and adds the day to their date.
func tidy(dir string, date time.Time) error {
	pages, err := filepath.Glob(filepath.Join(dir, "*.1"))
	if err != nil {
		return err
	}
	for _, file := range pages {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		text = flagLine.ReplaceAll(text, []byte(".TP\n$1\n"))
		text = bytes.Replace(text, []byte(date.Format("Jan 2006")), []byte(date.Format(time.DateOnly)), 1)
		if filepath.Base(file) == "dcs.1" {
			text = append(text, "\n.SH MANUAL\n\\fBdcs\\fP(7) lists the pages of the manual, \\fBdcs.yaml\\fP(5) describes the configuration.\n"...)
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// writeManual writes every page of the manual as a man page and as HTML below dir.
func writeManual(dir string, date time.Time) error {
	html := filepath.Join(dir, "doc")
	if err := os.MkdirAll(html, 0o755); err != nil {
		return err
	}
	for _, p := range doc.Pages() {
		section := filepath.Join(dir, "man", "man"+p.Section)
		if err := os.MkdirAll(section, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(section, p.Man+"."+p.Section), man.Render(p, date), 0o644); err != nil {
			return err
		}
		page, err := p.Document()
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(html, p.File()), page, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// buildDate returns the date of the man pages: SOURCE_DATE_EPOCH, or today.
func buildDate() time.Time {
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		return time.Unix(seconds, 0).UTC()
	}
	return time.Now().UTC()
}
