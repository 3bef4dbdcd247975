#!/bin/sh
# Before the files go; not before an upgrade.
set -e
[ -d /run/systemd/system ] || exit 0
case "$1" in
remove | 0) systemctl disable --now dcs.service ;;
esac
