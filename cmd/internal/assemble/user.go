package assemble

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
	"dcs/render/attr/plugin"
)

// Opening are the capabilities for opening the transports, and for dropping capabilities. IPC_LOCK and SYS_RESOURCE are for the
// locked memory of AF_XDP and BPF.
var Opening = []string{
	"CAP_NET_BIND_SERVICE", "CAP_NET_RAW", "CAP_NET_ADMIN", "CAP_BPF", "CAP_PERFMON", "CAP_SYS_ADMIN", "CAP_IPC_LOCK", "CAP_SYS_RESOURCE", "CAP_SETPCAP",
}

// Switching are the capabilities for starting and ending a plug-in as another user.
var Switching = []string{"CAP_SETUID", "CAP_SETGID", "CAP_KILL"}

// NamesUser reports whether the configuration names a user for a source's plug-in.
func NamesUser(s config.DeviceSource) bool { return s.Plugin != nil && s.Plugin.User != "" }

// OtherUsers reports whether a plug-in runs as another user than the server does now.
func OtherUsers(sources []config.DeviceSource) bool {
	return slices.ContainsFunc(sources, func(s config.DeviceSource) bool {
		if !NamesUser(s) {
			return false
		}
		cred, err := account.Lookup(s.Plugin.User)
		return err != nil || !plugin.IsCurrent(cred)
	})
}

// CheckPluginUsers returns an error for each plug-in that the server, as its current user, cannot start as the plug-in's user.
func CheckPluginUsers(sources []config.DeviceSource) error {
	var errs []error
	for _, s := range sources {
		if !NamesUser(s) {
			continue
		}
		cred, err := account.Lookup(s.Plugin.User)
		if err == nil {
			err = plugin.CheckCredential(cred)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", s.Pos, err))
		}
	}
	return errors.Join(errs...)
}

// UnreadableFiles returns an error for each file of the configuration that the calling thread may not read.
func UnreadableFiles(cfg *config.Config) (errs []error) {
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
