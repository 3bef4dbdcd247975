#!/bin/sh
# Runs after the files are installed. $1 is "configure" from dpkg, with the version before in $2; from rpm the number of packages installed.
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
if [ -z "$upgrade" ]; then
	systemctl enable dcs.service
elif ! systemctl is-enabled --quiet dcs.service; then
	# The old server finishes its transfers; the new one is up before a modem's first retry.
	systemctl try-restart dcs.service
	exit 0
fi
systemctl restart dcs.service || echo 'dcs: server not started; see "systemctl status dcs"' >&2
