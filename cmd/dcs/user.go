package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"dcs/cmd/internal/account"
	"dcs/cmd/internal/config"
	"dcs/cmd/internal/privilege"
	"dcs/render/attr/plugin"
)

// opening are the capabilities that opening the transports takes, and giving them up. IPC_LOCK and SYS_RESOURCE are for the
// locked memory of AF_XDP and of BPF.
var opening = []string{
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_IPC_LOCK", "CAP_SYS_RESOURCE", "CAP_SETPCAP",
}

// switching are the capabilities that starting and ending a plug-in of another user takes.
var switching = []string{"CAP_SETUID", "CAP_SETGID", "CAP_KILL"}

// namesUser tells whether the configuration names a user for a source's plug-in.
func namesUser(s config.DeviceSource) bool { return s.Plugin != nil && s.Plugin.User != "" }

// otherUsers tells whether a plug-in runs as another user than the server is now.
func otherUsers(sources []config.DeviceSource) bool {
	return slices.ContainsFunc(sources, func(s config.DeviceSource) bool {
		if !namesUser(s) {
			return false
		}
		cred, err := account.Lookup(s.Plugin.User)
		return err != nil || !plugin.Ours(cred)
	})
}

// checkPluginUsers returns an error for each plug-in whose user the server, as it is now, cannot start it as.
func checkPluginUsers(sources []config.DeviceSource) error {
	var errs []error
	for _, s := range sources {
		if !namesUser(s) {
			continue
		}
		cred, err := account.Lookup(s.Plugin.User)
		if err == nil {
			err = plugin.MayBecome(cred)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Pos, err))
		}
	}
	return errors.Join(errs...)
}

// becomeUser has the server run as the configured user, with the capabilities of the unit, before it opens anything: it then
// cannot open at its start what it could not open at a reload. It refuses plug-ins that it then could not start.
func (s *server) becomeUser() error {
	if err := s.switchUser(); err != nil {
		return err
	}
	return checkPluginUsers(s.cfg.Devices.Sources)
}

func (s *server) switchUser() error {
	if err := privilege.Raise(); err != nil {
		s.log.Warn("capabilities of the program's file are not in effect", "err", err)
	}
	var warnings []string
	s.writes, warnings = ownDirs(s.file, &s.cfg)
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
	keep := opening
	if slices.ContainsFunc(s.cfg.Devices.Sources, namesUser) { // who is another user shows only afterwards
		keep = slices.Concat(opening, switching)
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
	return append(errs, unreadableFiles(&s.cfg)...)
}

// unreadableFiles returns an error for each file of the configuration that the calling thread may not read.
func unreadableFiles(cfg *config.Config) (errs []error) {
	for _, f := range cfg.Reads() {
		mode := uint32(unix.R_OK)
		if info, err := os.Stat(f.Path); err == nil && info.IsDir() {
			mode |= unix.X_OK
		}
		err := unix.Faccessat(unix.AT_FDCWD, f.Path, mode, unix.AT_EACCESS)
		if errors.Is(err, syscall.EACCES) {
			errs = append(errs, fmt.Errorf("%s: %w", f.Key, &fs.PathError{Op: "access", Path: f.Path, Err: err}))
		}
	}
	return errs
}
