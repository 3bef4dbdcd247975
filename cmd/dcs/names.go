package main

import (
	"github.com/spf13/pflag"

	"dcs/render/ber/mib"
)

// names says where SNMP names come from, beyond those that are built in.
type names struct {
	path   []string // directories of MIB modules
	prefer []string // modules whose names win
}

func (n *names) addFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&n.path, "mib-path", nil, "add the MIB modules in these `directories` to the SNMP names")
	f.StringSliceVar(&n.prefer, "mib-prefer", nil, "take a name that several `modules` define from the first of these")
}

// index returns the names. Beside an error, which joins one for each module that could not be read, it has all the others.
func (n *names) index() (*mib.Index, error) {
	index := mib.Default()
	var err error
	if len(n.path) > 0 {
		index, err = mib.Load(index, n.path)
	}
	if len(n.prefer) > 0 {
		index = index.Prefer(n.prefer...)
	}
	return index, err
}
