package main

import (
	"fmt"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/render/mic"
)

// emit writes data to the file, or to standard output if its name is "-" or empty. It writes to a terminal only if the name is "-".
func emit(e cli.Env, name string, data []byte) error {
	switch {
	case name == "" && cli.IsTerminal(e.Stdout):
		return cli.Usagef("boot files are binary; give -o FILE, or -o - to write to the terminal anyway")
	case name == "" || name == cli.Stdio:
		_, err := e.Stdout.Write(data)
		return err
	}
	return writeFile(name, data)
}

// loadSecret reads a secret, and prints its warning if there is one.
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
