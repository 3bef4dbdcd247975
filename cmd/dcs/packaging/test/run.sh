#!/usr/bin/env bash
# Installs, starts, upgrades and removes the package in a Debian of its own: debootstrap makes it below bin/, systemd-nspawn boots it
# without any network but its loopback. Needs root. What happens inside is inside.sh's.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
here=cmd/dcs/packaging/test
base=$PWD/bin/package-test
[ "$(id -u)" = 0 ] || { echo "package-test: run it as root" >&2; exit 1; }
for tool in debootstrap systemd-nspawn; do
  command -v $tool >/dev/null || { echo "package-test: $tool is missing: make deps" >&2; exit 1; }
done

rm -rf "$base/root"
mkdir -p "$base"
for version in 0.0.1 0.0.2; do
  make -s package VERSION=$version PACKAGERS=deb PACKAGES_DIR="$base"
done

mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
. /etc/os-release
[ -d "$base/debian" ] || {
  debootstrap --variant=minbase --include=systemd,systemd-sysv,iproute2,procps,tftp-hpa \
    "$VERSION_CODENAME" "$base/debian.new" "$mirror" >"$base/debootstrap.log" || { tail -20 "$base/debootstrap.log" >&2; exit 1; }
  mv "$base/debian.new" "$base/debian"
}
cp -a "$base/debian" "$base/root"
cp "$base"/dcs_*.deb "$here/inside.sh" "$base/root/root/"
cp -r testdata/library "$base/root/root/library"
cat >"$base/root/etc/systemd/system/package-test.service" <<'E2'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/inside.sh
StandardOutput=append:/root/log
StandardError=append:/root/log
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/root/status'
ExecStopPost=systemctl --no-block poweroff
E2
mkdir -p "$base/root/etc/systemd/system/default.target.wants"
ln -s ../package-test.service "$base/root/etc/systemd/system/default.target.wants/"

timeout 300 systemd-nspawn --quiet --directory="$base/root" --machine="dcs-package-test-$$" --register=no --keep-unit \
  --private-network --capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON,CAP_IPC_LOCK --system-call-filter='bpf perf_event_open' \
  --boot >"$base/console.log" 2>&1 </dev/null || true # the status below decides
status=$(cat "$base/root/root/status" 2>/dev/null || echo 'none: it did not come to its end')
[ "$status" = 0 ] || {
  tail -60 "$base/root/root/log" >&2 || tail -40 "$base/console.log" >&2
  echo "package-test: status $status" >&2
  exit 1
}
grep '^ok' "$base/root/root/log"
rm -rf "$base/root"
