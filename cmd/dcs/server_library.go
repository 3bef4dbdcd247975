package main

import (
	"errors"

	"dcs/cmd/internal/config"
	"dcs/render/library"
)

// libraryConfig is what a library is loaded by. The error joins what is wrong with MIB modules; it can be loaded without them.
func libraryConfig(cfg *config.Config) (library.Config, error) {
	n := names{cfg.MIBPath, cfg.MIBPrefer}
	index, err := n.index()
	names, wrong := namesOf(&cfg.Names, cfg.Static)
	if wrong != nil {
		names = namesByDefault
		err = errors.Join(err, wrong)
	}
	return library.Config{
		Names: names,
		Dirs:  cfg.Library, Static: cfg.Static, Resign: cfg.Resign, Lenient: cfg.Lenient, MIB: index, Learned: learnedMemory(cfg),
		Timestamp: cfg.Timestamp, ModemAddress: cfg.ModemAddress,
	}, err
}

// flatten takes joined errors apart.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}
