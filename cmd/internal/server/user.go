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

// becomeUser changes to the configured user, with the capabilities of the unit, before anything is opened: what opens at the
// start then opens at a reload, too. It fails if the server could not start its plug-ins as their users.
func (p *process) becomeUser() error {
	if err := p.switchUser(); err != nil {
		return err
	}
	return assemble.CheckPluginUsers(p.cfg.Devices.Sources)
}

func (p *process) switchUser() error {
	if err := privilege.Raise(); err != nil {
		p.log.Warn("capabilities of the program's file are not in effect", "err", err)
	}
	var warnings []string
	p.writes, warnings = assemble.OwnDirs(p.file, p.cfg)
	for _, w := range warnings {
		p.log.Warn(w)
	}
	if p.cfg.User == "" {
		return nil
	}
	cred, err := account.Lookup(p.cfg.User)
	if err != nil {
		return err
	}
	if uid := os.Geteuid(); uid == int(cred.Uid) {
		return nil
	} else if uid != 0 {
		return fmt.Errorf("user: user %d cannot become %s; start the server as root, or remove the key", uid, p.cfg.User)
	}
	for _, dir := range p.writes {
		if err := privilege.HandOver(dir, cred); err != nil {
			p.log.Warn("directory not handed over", "user", p.cfg.User, "err", err)
		}
	}
	retain := assemble.Opening
	if slices.ContainsFunc(p.cfg.Devices.Sources, assemble.NamesUser) { // dropPrivileges finds out whether it is another user
		retain = slices.Concat(assemble.Opening, assemble.Switching)
	}
	if err := privilege.Become(cred, retain...); err != nil {
		return fmt.Errorf("user: %s: %w", p.cfg.User, err)
	}
	p.log.Info("user changed", "user", p.cfg.User, "uid", cred.Uid, "gid", cred.Gid)
	for _, err := range p.forbidden() {
		p.log.Error("not readable by the server's user; change its owner, group or mode", "user", p.cfg.User, "err", err)
	}
	return nil
}

// forbidden returns an error for each file that the server reads, now or at a reload, without having the permission.
func (p *process) forbidden() (errs []error) {
	if p.reread != nil {
		if _, err := p.reread(); errors.Is(err, fs.ErrPermission) {
			errs = append(errs, err)
		}
	}
	return append(errs, assemble.UnreadableFiles(p.cfg)...)
}
