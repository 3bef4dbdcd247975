package main

import (
	"fmt"

	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/cli"
	"dcs/render/ber/mib"
)

// loadNames returns the SNMP names that a verb's flags ask for, and warns of what is faulty in their modules.
func loadNames(e cli.Env, n *assemble.MIBNames) (*mib.Index, error) {
	index, err := n.Index()
	if err != nil {
		return nil, err
	}
	warnNames(e, index)
	return index, nil
}

func warnNames(e cli.Env, index *mib.Index) {
	for _, w := range index.Warnings() {
		fmt.Fprintf(e.Stderr, "warning: %s\n", w)
	}
}
