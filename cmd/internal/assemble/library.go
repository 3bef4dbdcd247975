// Package assemble builds what a configuration describes: the library's configuration, secrets, sources of devices, memory
// limits. The server and the verbs share it.
package assemble

import (
	"errors"

	"dcs/cmd/internal/config"
	"dcs/render/library"
)

// Library returns the configuration of the library. The error joins those of MIB modules and names; the configuration is usable
// nevertheless, without them.
func Library(cfg *config.Config) (library.Config, error) {
	n := MIBNames{cfg.MIBPath, cfg.MIBPrefer}
	index, err := n.Index()
	names, wrong := NamingRules(&cfg.Names, cfg.Static)
	if wrong != nil {
		names = DefaultNaming
		err = errors.Join(err, wrong)
	}
	return library.Config{
		Names: names,
		Dirs:  cfg.Library, Static: cfg.Static, Resign: cfg.Resign, Lenient: cfg.Lenient, MIB: index, Learned: learnedMemory(cfg),
		Timestamp: cfg.Timestamp, ModemAddress: cfg.ModemAddress,
	}, err
}

// Flatten returns the parts of an error of [errors.Join], recursively.
func Flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	parts := joined.Unwrap()
	// Other errors with several causes, such as those of fmt.Errorf, have words between them.
	if sum := errors.Join(parts...); sum == nil || sum.Error() != err.Error() {
		return []error{err}
	}
	var all []error
	for _, e := range parts {
		all = append(all, Flatten(e)...)
	}
	return all
}
