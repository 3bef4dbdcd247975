#!/bin/sh
# After the files are gone. The configuration, the secrets and the snapshot of devices go when the package is purged.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
case "$1" in
purge) rm -rf /var/lib/dcs /etc/dcs ;;
esac
