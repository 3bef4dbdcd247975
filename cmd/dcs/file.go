package main

import (
	"fmt"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/render/mic"
)

// emit writes data to the file, or to standard output where its name is "-" or empty.
// Binary data goes to a terminal only if "-" asks for it.
func emit(e cli.Env, name string, data []byte) error {
	switch {
	case name == "" && cli.IsTerminal(e.Stdout):
		return cli.Usagef("a boot file is no text for a terminal: say -o FILE, or -o - if you mean it")
	case name == "" || name == cli.Stdio:
		_, err := e.Stdout.Write(data)
		return err
	}
	return writeFile(name, data)
}

// loadSecret reads a secret and tells the warning that goes with it.
func loadSecret(e cli.Env, name string) (*mic.Secret, error) {
	key, warning, err := assemble.ReadSecret(name)
	if err != nil {
		return nil, err
	}
	if warning != "" {
		fmt.Fprintf(e.Stderr, "warning: %s\n", warning)
	}
	return mic.NewSecret(key), nil
}
