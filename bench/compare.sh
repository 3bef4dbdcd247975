#!/usr/bin/env bash
# Compares benchmarks of this tree with those of another commit, rounds interleaved, by benchstat.
#   bench/compare.sh OLD    what of it: BENCH (a pattern), PKG (packages), COUNT (rounds), BENCHTIME
set -euo pipefail
cd "$(dirname "$0")/.."
old=${1:-}
[ -n "$old" ] || { echo 'make benchcmp OLD=rev: name the commit to compare with' >&2; exit 2; }
git rev-parse --verify --quiet "$old^{commit}" >/dev/null || { echo "make benchcmp: $old is no commit" >&2; exit 2; }
bench=${BENCH:-.} count=${COUNT:-6} benchtime=${BENCHTIME:-0.2s}
read -ra packages <<<"${PKG:-./fastpath ./fastpath/tftp ./render ./render/md5x ./render/mic ./render/library}"

dir=$(mktemp -d)
cleanup() {
  git worktree remove --force "$dir/tree" 2>/dev/null || true
  rm -rf "$dir"
}
trap cleanup EXIT
git worktree add --quiet --detach "$dir/tree" "$old"
mkdir "$dir/old" "$dir/new"

build() { # build TREE INTO
  local p
  for p in "${packages[@]}"; do
    # A package that the other commit does not have is left out; one that does not build is an error.
    [ -d "$1/$p" ] || continue
    (cd "$1" && go test -c -o "$2/$(tr -c 'a-z0-9\n' _ <<<"$p").test" "$p")
  done
}
build "$dir/tree" "$dir/old"
build . "$dir/new"

for ((i = 0; i < count; i++)); do
  for p in "${packages[@]}"; do
    name=$(tr -c 'a-z0-9\n' _ <<<"$p").test
    # Who is first changes from round to round.
    sides=(old new)
    ((i % 2)) && sides=(new old)
    for side in "${sides[@]}"; do
      tree=.
      [ $side = old ] && tree=$dir/tree
      [ -x "$dir/$side/$name" ] || continue
      (cd "$tree/$p" && "$dir/$side/$name" -test.run '^$' -test.bench "$bench" -test.benchtime "$benchtime" -test.benchmem) >>"$dir/$side.txt"
    done
  done
done
go tool -modfile=.tools/go.mod benchstat "$old=$dir/old.txt" "here=$dir/new.txt"
