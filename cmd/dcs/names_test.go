package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// What is faulty in MIB modules is left out of a server, and with it the templates that name it.
func TestServeWithBadMIB(t *testing.T) {
	const broken = "BAD-MIB DEFINITIONS ::= BEGIN zBad OBJECT IDENTIFIER ::= { enterprises 99997 }\nzCut OBJECT-TYPE SYNTAX OCTET FOO"
	const good = "GOOD-MIB DEFINITIONS ::= BEGIN zGood OBJECT-TYPE SYNTAX INTEGER MAX-ACCESS read-write STATUS current DESCRIPTION \".\" ::= { enterprises 99996 1 } END"
	for _, tt := range []struct {
		name  string
		spoil func(t *testing.T, dir string)
		level string
		log   string
	}{
		{"syntax error", func(t *testing.T, dir string) { write(t, filepath.Join(dir, "bad"), broken) }, "WARN", "bad:2: "},
		{"link to nothing", func(t *testing.T, dir string) {
			if err := os.Symlink("nothing", filepath.Join(dir, "bad")); err != nil {
				t.Fatal(err)
			}
		}, "WARN", "bad: no such file"},
		{"too large", func(t *testing.T, dir string) {
			write(t, filepath.Join(dir, "bad"), broken)
			if err := os.Truncate(filepath.Join(dir, "bad"), 1<<30); err != nil {
				t.Fatal(err)
			}
		}, "WARN", "bad: larger than 16777216 octets"},
		{"a file as a directory", func(*testing.T, string) {}, "ERROR", "none: no such file"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			mibs, library := t.TempDir(), t.TempDir()
			write(t, filepath.Join(mibs, "good"), good)
			tt.spoil(t, mibs)
			paths := mibs
			if tt.log == "none: no such file" {
				paths += "," + filepath.Join(mibs, "none")
			}
			write(t, filepath.Join(library, "a.dcs"), "Main { NetworkAccess 1; SnmpMibObject zGood.0 Integer 1; }")
			write(t, filepath.Join(library, "b.dcs"), "Main { NetworkAccess 1; SnmpMibObject zCut.0 String \"x\"; }")
			p := serve(t, "--library", library, "--mib-path", paths)
			p.said("level="+tt.level, tt.log)
			p.said("level=ERROR", "b.dcs:1:", "zCut")
			if got := p.fetch("a.cm"); got.status != done || got.stdout == "" {
				t.Errorf("a.cm: %+v", got)
			}
			if got := p.fetch("b.cm"); got.status != failed || strings.Contains(got.stdout, "x") {
				t.Errorf("b.cm: %+v", got)
			}
			if err := p.stop(syscall.SIGTERM); err != nil {
				t.Error(err)
			}
		})
	}
}
