#!/bin/bash
# A newcomer's first commands, on a Debian that has make, git and Go. Without network: packages and modules are in caches.
set -euo pipefail
exec 2>&1
trap 'echo "FAILED at line $LINENO: $BASH_COMMAND"' ERR
export HOME=/root PATH=/usr/local/go/bin:$PATH GOPROXY=off GOTOOLCHAIN=local
. /root/caches # GOMODCACHE, GOCACHE
not() { ! "$@"; } # errexit ignores a plain "!"
ok() { echo "ok: $*"; }
cd /root/dcs

make run </dev/null &
for _ in $(seq 300); do
  tftp -m binary 127.0.0.1 6969 -c get basic.cm /root/got >/dev/null && [ -s /root/got ] && break
  sleep 1
done
bin/dcs get 127.0.0.1:6969 basic.cm -o /root/again
cmp /root/got /root/again
kill -TERM "$(pgrep -x dcs)"
wait $!
ok "make run serves on a fresh Debian with Go; stops cleanly"

[ -e /root/deps ] || exit 0
make deps
make deps | grep '^deps: all there'
for s in mariadb mariadb.socket ssh postgresql prometheus slapd snmpd tftpd-hpa; do
  state="$(systemctl is-active $s || true) $(systemctl is-enabled $s 2>/dev/null || true)"
  [ "$state" = 'inactive disabled' ] || { echo "$s: $state"; false; }
done
ok "make deps installs all of it, and leaves no server running"
