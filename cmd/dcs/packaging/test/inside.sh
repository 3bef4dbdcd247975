#!/bin/bash
# Installs, runs, upgrades and removes the packages, as a unit of a throw-away machine. Reports each step with a line "ok: …".
set -euo pipefail
cd /root
exec 2>&1
trap 'echo "FAILED at line $LINENO: $BASH_COMMAND"; journalctl -u dcs --no-pager | tail -60' ERR
not() { ! "$@"; } # errexit ignores a plain "!"
ok() { echo "ok: $*"; }
until_true() { # until_true COMMAND…: within 30 s
  for _ in $(seq 300); do "$@" >/dev/null 2>&1 && return; sleep 0.1; done
  echo "not within 30 s: $*"
  return 1
}
prop() { systemctl show dcs -p "$1" --value; }

old=0.0.377 # how packages were numbered before .version
new=$(cat version)
order="0.0.1 $old 0.9.0 0.9.0+devel 0.9.0+git.1.fffffff 0.9.0+git.1.fffffff.dirty 0.9.0+git.9.0123456 0.9.0+git.10.0123456 0.9.1 0.10.0 1.0.0"
before=
for version in $order; do
  if [ "$before" ]; then
    dpkg --compare-versions "$before" lt "$version"
    [ "$(rpm --eval "%{lua: print(rpm.vercmp('$before', '$version'))}")" = -1 ]
  fi
  before=$version
done
dpkg --compare-versions "$old" lt "$new"
ok "versions sort for dpkg and rpm: $order"

metrics() { # asks the server
  exec 3<>/dev/tcp/127.0.0.1/9420
  printf 'GET /metrics HTTP/1.0\r\nHost: 127.0.0.1:9420\r\n\r\n' >&3
  cat <&3
  exec 3>&-
}
built() { (metrics) | grep '^dcs_build_info{' | grep -F "version=\"$1\""; }
says() { # says VERSION: program and server
  [ "$(dcs --version)" = "$(dcs version)" ]
  [[ "$(dcs version)" = "dcs $1 go"* ]]
  dcs version --json | grep -qxF "  \"version\": \"$1\","
  until_true built "$1"
}

dpkg -i dcs_0.0.377_*.deb
systemctl is-enabled dcs
systemctl is-active dcs
id dcs
for f in man1/dcs.1.gz man1/dcs-serve.1.gz man5/dcs.yaml.5.gz; do [ -s /usr/share/man/$f ]; done
bash -n /usr/share/bash-completion/completions/dcs
[ "$(dpkg-query -W -f '${Version}' dcs)" = $old ]
sed -i 's/^metrics: .*/metrics: 127.0.0.1:9420/' /etc/dcs/dcs.yaml
systemctl restart dcs
says $old
ok "installed, started with an empty library"

pid=$(prop MainPID)
[ "$(stat -c %U /proc/$pid)" = dcs ]
# NET_BIND_SERVICE 10, NET_ADMIN 12, NET_RAW 13, PERFMON 38, BPF 39
allowed=$((1 << 10 | 1 << 12 | 1 << 13 | 1 << 38 | 1 << 39))
for set in CapPrm CapEff CapBnd CapAmb; do
  [ $((0x$(awk -v s=$set: '$1 == s {print $2}' /proc/$pid/status) & ~allowed)) = 0 ]
done
grep -q '^NoNewPrivs:.1' /proc/$pid/status
grep -q '^Seccomp:.2' /proc/$pid/status
ok "runs as dcs, keeps capabilities $(awk '/^CapEff/ {print $2}' /proc/$pid/status)"

cp library/* /etc/dcs/library/
fetch() { rm -f got; tftp -m binary 127.0.0.1 -c get "$1" got && [ -s got ]; }
until_true fetch basic.cm
dcs decode got | grep -q 'CMTS MIC.*unchecked'
ok "new templates are served; tftp-hpa fetches"

printf 'Main { NetworkAccess 1; MaxCPE x; }\n' >/etc/dcs/library/bad.dcs
until_true sh -c 'journalctl -u dcs --no-pager | grep -q "bad.dcs:1:"'
systemctl restart dcs
fetch basic.cm
rm /etc/dcs/library/bad.dcs
systemctl reload dcs
fetch basic.cm
ok "a bad template is logged, and prevents neither the others nor a start"

dcs storm 127.0.0.1 --name basic.cm --rate 500 --duration 12s --max-failed 0 --backoff 1s,2s,4s >storm.log 2>&1 &
storm=$!
sleep 3
dpkg -i "dcs_${new}_"*.deb
[ "$(prop MainPID)" != "$pid" ]
wait $storm || { cat storm.log; false; }
[ "$(dpkg-query -W -f '${Version}' dcs)" = "$new" ]
says "$new"
ok "upgraded under load to $new, no modem failed"

mkdir -p /run/systemd/system/dcs.service.d
printf '[Service]\nWatchdogSec=2\nTimeoutAbortSec=2\n' >/run/systemd/system/dcs.service.d/test.conf
systemctl daemon-reload
systemctl restart dcs
kill -STOP "$(prop MainPID)"
until_true sh -c '[ "$(systemctl show dcs -p NRestarts --value)" -ge 1 ] && systemctl is-active dcs'
fetch basic.cm
rm -r /run/systemd/system/dcs.service.d
systemctl daemon-reload
ok "a server that hangs is restarted"

install -D -m 644 /usr/share/doc/dcs/examples/systemd/no-xdp.conf /run/systemd/system/dcs.service.d/no-xdp.conf
systemctl daemon-reload
systemctl restart dcs
fetch basic.cm
[ "$(awk '/^CapBnd/ {print $2}' /proc/$(prop MainPID)/status)" = 0000000000000400 ]
rm -r /run/systemd/system/dcs.service.d
systemctl daemon-reload
ok "serves without the capabilities of XDP"

ip netns add modems
ip link add dcs0 type veth peer name m0 netns modems
ip addr add 198.18.0.1/24 dev dcs0
ip link set dcs0 up
ip -n modems addr add 198.18.0.2/24 dev m0
ip -n modems link set m0 up
sed -i 's/^transport: .*/transport: xdp/; s/^interface: .*/interface: dcs0/; s/^listen: .*/listen: ["198.18.0.1:69"]/' /etc/dcs/dcs.yaml
if ! (ulimit -Hl unlimited) 2>/dev/null; then
	# This machine's root may not raise limits, so LimitMEMLOCK= has no effect.
	mkdir -p /run/systemd/system/dcs.service.d
	printf '[Service]\nAmbientCapabilities=CAP_IPC_LOCK\nCapabilityBoundingSet=CAP_IPC_LOCK\n' >/run/systemd/system/dcs.service.d/test.conf
	systemctl daemon-reload
fi
systemctl restart dcs
ip link show dcs0 | grep -q xdp
xdp_fetch() { rm -f got; ip netns exec modems tftp -m binary 198.18.0.1 -c get basic.cm got && [ -s got ]; }
until_true xdp_fetch
pid=$(prop MainPID)
ok "XDP under the unit's capabilities; keeps $(awk '/^CapEff/ {print $2}' /proc/$pid/status)"
systemctl stop dcs
not grep -q xdp <(ip link show dcs0)
ok "stopped; the interface is clean"

systemctl start dcs
dpkg -r dcs
not systemctl is-active dcs
[ ! -e /usr/bin/dcs ]
dpkg -i "dcs_${new}_"*.deb
systemctl is-enabled dcs
systemctl is-active dcs
grep -q dcs0 /etc/dcs/dcs.yaml
ok "removed, and installed again with its configuration"

kept() { cmp -s basic.cfg /etc/dcs/library/basic.cfg && [ -s /etc/dcs/secret ] && [ -e /var/lib/dcs/fleet.db ]; }
cp library/basic.cfg .
(umask 077 && echo secret >/etc/dcs/secret)
touch /var/lib/dcs/fleet.db
mkdir -p /var/lib/dcs/devices
dpkg -P dcs
kept
[ ! -e /etc/dcs/dcs.yaml ]
[ ! -e /var/lib/dcs/devices ]
not systemctl is-enabled dcs
ok "purged: templates, secrets and databases are kept"

rpm=(--force-debian --nodeps)
rpm "${rpm[@]}" -i dcs-*.rpm
[ "$(rpm -q --qf '%{VERSION}' dcs)" = "$new" ]
systemctl is-active dcs
until_true fetch basic.cm
sed -i 's/^metrics: .*/metrics: 127.0.0.1:9420/' /etc/dcs/dcs.yaml
systemctl restart dcs
says "$new"
rpm "${rpm[@]}" -e dcs
not systemctl is-active dcs
not systemctl is-enabled dcs
[ ! -e /usr/bin/dcs ]
[ -s /etc/dcs/dcs.yaml.rpmsave ]
kept
ok "the rpm installs, runs and is removed; templates, secrets, databases and a changed dcs.yaml are kept"

dpkg -i "dcs_${new}_"*.deb
DCS_PURGE=1 dpkg -P dcs
[ ! -e /etc/dcs ]
[ ! -e /var/lib/dcs ]
ok "purged with DCS_PURGE=1: nothing is left"
