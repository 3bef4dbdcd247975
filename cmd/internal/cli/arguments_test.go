package cli

import (
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

func TestArguments(t *testing.T) {
	for _, tt := range []struct {
		use         string
		least, most int
		config      bool // the verb has --config
		args, want  string
	}{
		{use: "explain NAME", least: 1, most: 1, args: "a"},
		{use: "explain NAME", least: 1, most: 1, want: "missing argument: want NAME"},
		{use: "explain NAME", least: 1, most: 1, args: "a b", want: `unexpected argument "b": want NAME`},
		{use: "get HOST NAME", least: 2, most: 2, args: "a", want: "missing argument: want HOST NAME"},
		{use: "get HOST NAME", least: 2, most: 2, args: "a b c d", want: `unexpected argument "c": want HOST NAME`},
		{use: "top [ADDRESS]", most: 1},
		{use: "top [ADDRESS]", most: 1, args: "a b", want: `unexpected argument "b": want [ADDRESS]`},
		{use: "decode FILE…", least: 1, most: -1, args: "a b c"},
		{use: "decode FILE…", least: 1, most: -1, want: "missing argument: want FILE…"},
		{use: "version"},
		{use: "version", args: "a", want: `unexpected argument "a": want none`},
		{use: "version", args: "dcs.yaml", want: `unexpected argument "dcs.yaml": want none`},
		{use: "check", config: true, args: "dcs.yaml", want: `unexpected argument "dcs.yaml"; did you mean --config dcs.yaml?`},
		// A verb whose arguments depend on its flags, such as storm --scenario=list.
		{use: "storm HOST", args: "a", want: `unexpected argument "a": want none`},
	} {
		cmd := &cobra.Command{Use: tt.use}
		if tt.config {
			cmd.Flags().String("config", "", "")
		}
		got := ""
		if err := Arguments(tt.least, tt.most)(cmd, strings.Fields(tt.args)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: %q: %q, want %q", tt.use, tt.args, got, tt.want)
		}
	}
}
