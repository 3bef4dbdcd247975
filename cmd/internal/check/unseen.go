package check

import (
	"fmt"

	"dcs/cmd/internal/config"
)

// UnseenChanges returns a warning for each source whose changes are noticed late or never.
func UnseenChanges(list []config.DeviceSource) (warnings []string) {
	for _, c := range list {
		seen := ""
		switch {
		case c.SQL != nil:
			seen = c.SQL.ChangeDelay()
		case c.LDAP != nil && c.LDAP.Reload < 0:
			seen = "reload is negative: deleted entries of the directory are never noticed"
		case c.Plugin != nil && !c.Plugin.Changes:
			seen = "changes of listed devices are noticed only at a start, at SIGHUP and by dcs devices reload; have the plug-in report them, and set changes: on"
		}
		if seen != "" {
			warnings = append(warnings, fmt.Sprintf("%s: %s", c.Pos, seen))
		}
	}
	return warnings
}
