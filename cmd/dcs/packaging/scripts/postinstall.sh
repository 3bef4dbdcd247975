#!/bin/sh
# After the files of a deb or rpm are in place. dpkg says "configure" and the version before, rpm how many are installed.
set -e
systemd-sysusers dcs.conf
systemd-tmpfiles --create dcs.conf
[ -d /run/systemd/system ] || exit 0
systemctl daemon-reload
upgrade=
case "$1" in
configure) [ -z "$2" ] || upgrade=yes ;;
[0-9]*) [ "$1" -lt 2 ] || upgrade=yes ;;
esac
if [ "$upgrade" ]; then
	# The old server lets its transfers come to their end; the new one answers before a modem's first retry.
	systemctl try-restart dcs.service
else
	systemctl enable dcs.service
	systemctl start dcs.service || echo 'dcs does not run: "systemctl status dcs" says why' >&2
fi
