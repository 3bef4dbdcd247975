#!/usr/bin/env bash
# Tests the packages, and a newcomer's first commands, in throw-away machines: mmdebstrap makes a Debian below bin/, and
# systemd-nspawn boots copies of it that have no network but loopback. Needs root. inside.sh runs in one machine, fresh.sh in another.
# fresh.sh installs everything that "make deps" names, which takes long: it does so if that has changed since it last passed, or with
# FRESH=1.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
here=cmd/dcs/packaging/test
base=$PWD/bin/.package-test # go's "./..." skips names that begin with a dot
[ "$(id -u)" = 0 ] || { echo "package-test: run it as root" >&2; exit 1; }
for tool in mmdebstrap systemd-nspawn; do
  command -v $tool >/dev/null || { echo "package-test: $tool is missing: make deps" >&2; exit 1; }
done
mkdir -p "$base"

included=systemd,systemd-sysv,iproute2,procps,tftp-hpa,rpm,make,git,ca-certificates
. /etc/os-release
debian=$base/$VERSION_CODENAME-$(cksum <<<"$included" | cut -d' ' -f1)

debian() { # makes the Debian that the machines are copied from, unless it exists
  [ ! -d "$debian" ] || return 0
  local mirror
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | head -1)
  rm -rf "$debian.new"
  mmdebstrap --variant=minbase --dpkgopt=force-unsafe-io --include="$included" "$VERSION_CODENAME" "$debian.new" "$mirror" \
    >"$base/mmdebstrap.log" 2>&1 || { tail -20 "$base/mmdebstrap.log" >&2; exit 1; }
  mv "$debian.new" "$debian"
}

copy() { # copy NAME SCRIPT: makes a machine that runs the script when it boots
  local root=$base/$1
  rm -rf "$root"
  cp -a --reflink=auto "$debian" "$root"
  cp "$here/$2" "$root/root/script"
  cat >"$root/etc/systemd/system/package-test.service" <<'EOF'
[Unit]
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/root/script
StandardOutput=append:/root/log
StandardError=append:/root/log
ExecStopPost=/bin/sh -c 'echo "$EXIT_STATUS" >/root/status'
ExecStopPost=systemctl --no-block poweroff
EOF
  mkdir -p "$root/etc/systemd/system/default.target.wants"
  ln -s ../package-test.service "$root/etc/systemd/system/default.target.wants/"
}

boot() { # boot NAME SECONDS OPTION…: boots a machine, which powers off when its script ends
  local name=$1 seconds=$2 root=$base/$1 status
  shift 2
  timeout "$seconds" systemd-nspawn --quiet --directory="$root" --machine="dcs-$name-$$" --register=no --keep-unit \
    --private-network "$@" --boot >"$base/$name.console" 2>&1 </dev/null || true # the status below decides
  status=$(cat "$root/root/status" 2>/dev/null || echo "none; it did not finish within $seconds s")
  [ "$status" = 0 ] || {
    tail -60 "$root/root/log" >&2 || tail -40 "$base/$name.console" >&2
    echo "package-test: $name: status $status" >&2
    exit 1
  }
  grep '^ok' "$root/root/log"
  rm -rf "$root"
}

package() { # builds the packages, an old one with a number from before .version
  local linked
  sed 's/compression: xz/compression: zstd/' cmd/dcs/packaging/nfpm.yaml >"$base/nfpm.yaml" # xz takes its time
  rm -rf "$base/packages"
  make -s package VERSION=0.0.377 NFPM="$base/nfpm.yaml" PACKAGERS=deb PACKAGES_DIR="$base/packages/old"
  make -s package VERSION="$version" PACKAGES_DIR="$base/packages/new"
  ! go tool nm bin/package/dcs >/dev/null 2>&1 || { echo "package-test: the packaged program has symbols" >&2; return 1; }
  linked=$(go version -m bin/package/dcs | awk '$1 == "dep" {print $2, $3}')
  while IFS= read -r module; do
    grep -qxF "$module" cmd/dcs/packaging/NOTICES || { echo "package-test: NOTICES lacks $module: make generate" >&2; return 1; }
  done <<<"Go"$'\n'"$linked"
  echo "ok: stripped; licences of $(wc -l <<<"$linked") modules and Go"
  rm -rf "$base/unpacked"
  dpkg-deb -x "$base"/packages/new/*.deb "$base/unpacked"
  "$here/named.sh" "$base/unpacked"
  echo "ok: every document that the package names is in it"
  rm -rf "$base/unpacked"
}

installed() { # install, run, upgrade and remove the packages
  copy package inside.sh
  cp "$base"/packages/old/*.deb "$base"/packages/new/*.{deb,rpm} "$base/package/root/"
  cp -r testdata/library "$base/package/root/library"
  echo "$version" >"$base/package/root/version"
  boot package 600 --capability=CAP_NET_ADMIN,CAP_BPF,CAP_PERFMON,CAP_IPC_LOCK --system-call-filter='bpf perf_event_open'
}

fresh() { # make run and make deps on a fresh machine
  local key goroot modcache cache packages apt
  key=$({ echo "$debian"; make -n deps; cat $here/fresh.sh; } | cksum | cut -d' ' -f1)
  copy fresh fresh.sh
  git clone -q "$PWD" "$base/fresh/root/dcs"
  packages=$(sed -n 's/^PACKAGES := //p' Makefile)
  apt=(--bind="$base/archives:/var/cache/apt/archives" --bind="$base/lists:/var/lib/apt/lists")
  if [ -n "${FRESH-}" ] || [ "$(cat "$base/fresh.passed" 2>/dev/null)" != "$key" ]; then
    mkdir -p "$base/archives/partial" "$base/lists/partial"
    systemd-nspawn --quiet --directory="$base/fresh" --register=no --keep-unit "${apt[@]}" sh -c \
      "apt-get update -q && apt-get install -q -y -d --no-install-recommends $packages" >"$base/apt.log" 2>&1 </dev/null ||
      { tail -20 "$base/apt.log" >&2; exit 1; }
    touch "$base/fresh/root/deps"
    echo force-unsafe-io >"$base/fresh/etc/dpkg/dpkg.cfg.d/package-test"
  fi
  goroot=$(go env GOROOT) modcache=$(go env GOMODCACHE) cache=$(go env GOCACHE)
  printf 'export GOMODCACHE=%q GOCACHE=%q\n' "$modcache" "$cache" >"$base/fresh/root/caches"
  boot fresh 1800 "${apt[@]}" --bind-ro="$goroot:/usr/local/go" --bind-ro="$modcache" --bind="$cache"
  echo "$key" >"$base/fresh.passed"
}

version=$(cmd/dcs/packaging/version.sh)
trap wait EXIT
debian & making=$!
package
wait "$making"
installed & running=$!
fresh
wait "$running"
