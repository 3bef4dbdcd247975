package check

import (
	"fmt"

	"dcs/cmd/internal/config"
)

// UnseenChanges tells which sources have changes that are seen late or never.
func UnseenChanges(list []config.DeviceSource) (warnings []string) {
	for _, c := range list {
		seen := ""
		switch {
		case c.SQL != nil:
			seen = c.SQL.ChangeDelay()
		case c.LDAP != nil && c.LDAP.Reload < 0:
			seen = "reload is negative: entries that are deleted from the directory are never seen to be gone"
		case c.Plugin != nil && !c.Plugin.Changes:
			seen = "changes of devices that it lists are seen only at a start, at SIGHUP and by dcs devices reload; have it tell of them, and set changes: on"
		}
		if seen != "" {
			warnings = append(warnings, fmt.Sprintf("%s: %s", c.Pos, seen))
		}
	}
	return warnings
}
