#!/bin/sh
# Runs before the files are removed, and before an upgrade. dpkg's "remove" leaves the unit enabled, for a
# later installation.
set -e
[ -d /run/systemd/system ] || exit 0
case "$1" in
remove) systemctl stop dcs.service ;;
0) systemctl disable --now dcs.service ;;
esac
