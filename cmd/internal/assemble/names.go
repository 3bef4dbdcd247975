package assemble

import (
	"github.com/spf13/pflag"

	"dcs/render/ber/mib"
)

// MIBNames configures SNMP names beyond the built-in ones.
type MIBNames struct {
	Path   []string // directories of MIB modules
	Prefer []string // modules whose names take precedence
}

// AddFlags adds the flags that set n.
func (n *MIBNames) AddFlags(f *pflag.FlagSet) {
	f.StringSliceVar(&n.Path, "mib-path", nil, "add the MIB modules in these `directories` to the SNMP names")
	f.StringSliceVar(&n.Prefer, "mib-prefer", nil, "take a name that several `modules` define from the first of these")
}

// Index returns the names. The error joins those of modules that could not be read; the index has the names of all others.
func (n *MIBNames) Index() (*mib.Index, error) {
	index := mib.Default()
	var err error
	if len(n.Path) > 0 {
		index, err = mib.Load(index, n.Path)
	}
	if len(n.Prefer) > 0 {
		index = index.Prefer(n.Prefer...)
	}
	return index, err
}
