package rig

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dcs/bench/netlab"
)

// A server is there when it serves over the transport that was asked for; its death is noticed at once, not after 30 s.
func TestStartAlone(t *testing.T) {
	netlab.ForTest(t, netlab.Config{}) // decides whether to skip
	for _, tt := range []struct {
		name, script string
		want         string // in the error; empty: there is none
	}{
		{"serves", "echo msg=serving transport=socket >&2; exec sleep 600", ""},
		{"another transport", "echo msg=serving transport=xdp >&2; exec sleep 600", "another transport than socket"},
		{"ends", "echo no such option >&2; exit 3", "ended early: exit status 3: no such option"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bin := filepath.Join(t.TempDir(), "server")
			if err := os.WriteFile(bin, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			a, err := StartAlone(TH0, bin, "socket", nil)
			switch {
			case tt.want == "" && err != nil:
				t.Fatal(err)
			case tt.want != "":
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Fatalf("%v, want %q", err, tt.want)
				}
				return
			}
			if err := a.Stop(); err != nil {
				t.Error(err)
			}
			if a.Cmd.ProcessState == nil {
				t.Error("the process was not waited for")
			}
		})
	}
}
