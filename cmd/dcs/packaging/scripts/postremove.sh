#!/bin/sh
# Runs after the files are removed, and with "purge" at the end of "dpkg -P" or "apt purge". dpkg itself removes the conffile
# dcs.yaml. Templates, secrets and databases are the operator's: they are removed only if DCS_PURGE=1 is set.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
[ "$1" = purge ] || exit 0
rm -f /etc/systemd/system/multi-user.target.wants/dcs.service
rm -rf /var/lib/dcs/devices # the snapshot, rebuilt from the sources
if [ "$DCS_PURGE" = 1 ]; then
	rm -rf /etc/dcs /var/lib/dcs
fi
for dir in /etc/dcs/library /etc/dcs /var/lib/dcs; do
	rmdir "$dir" 2>/dev/null || true
done
for dir in /etc/dcs /var/lib/dcs; do
	[ ! -d "$dir" ] || echo "dcs: $dir is not empty; to remove it, run: rm -r $dir"
done
