#!/bin/sh
# Runs after the files are installed. From dpkg, $1 is "configure" and $2 the previous version; from rpm, $1 is the number of
# installed packages.
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
