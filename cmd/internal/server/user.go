package server

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"dcs/cmd/internal/account"
	"dcs/cmd/internal/assemble"
	"dcs/cmd/internal/privilege"
)

// becomeUser has the server run as the configured user, with the capabilities of the unit, before it opens anything: it then
// cannot open at its start what it could not open at a reload. It refuses plug-ins that it then could not start.
func (s *server) becomeUser() error {
	if err := s.switchUser(); err != nil {
		return err
	}
	return assemble.CheckPluginUsers(s.cfg.Devices.Sources)
}

func (s *server) switchUser() error {
	if err := privilege.Raise(); err != nil {
		s.log.Warn("capabilities of the program's file are not in effect", "err", err)
	}
	var warnings []string
	s.writes, warnings = assemble.OwnDirs(s.file, &s.cfg)
	for _, w := range warnings {
		s.log.Warn(w)
	}
	if s.cfg.User == "" {
		return nil
	}
	cred, err := account.Lookup(s.cfg.User)
	if err != nil {
		return err
	}
	if uid := os.Geteuid(); uid == int(cred.Uid) {
		return nil
	} else if uid != 0 {
		return fmt.Errorf("user: %s cannot be taken on by user %d; start the server as root, or leave the key away", s.cfg.User, uid)
	}
	for _, dir := range s.writes {
		if err := privilege.HandOver(dir, cred); err != nil {
			s.log.Warn("directory not handed over", "user", s.cfg.User, "err", err)
		}
	}
	keep := assemble.Opening
	if slices.ContainsFunc(s.cfg.Devices.Sources, assemble.NamesUser) { // who is another user shows only afterwards
		keep = slices.Concat(assemble.Opening, assemble.Switching)
	}
	if err := privilege.Become(cred, keep...); err != nil {
		return fmt.Errorf("user: %s: %w", s.cfg.User, err)
	}
	s.log.Info("user changed", "user", s.cfg.User, "uid", cred.Uid, "gid", cred.Gid)
	for _, err := range s.forbidden() {
		s.log.Error("not readable by the server's user; change its owner, group or mode", "user", s.cfg.User, "err", err)
	}
	return nil
}

// forbidden returns an error for each file that the server reads, now or at a reload, and may not.
func (s *server) forbidden() (errs []error) {
	if s.reread != nil {
		if _, err := s.reread(); errors.Is(err, fs.ErrPermission) {
			errs = append(errs, err)
		}
	}
	return append(errs, assemble.UnreadableFiles(&s.cfg)...)
}
