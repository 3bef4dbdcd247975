#!/bin/sh
# Prints the version of this work tree: the number in .version if HEAD is the release, the commit that last changed that file; otherwise
# with the number of commits since and the hash, as in 0.9.0+git.12.02629bf. That sorts after 0.9.0 and before 0.9.1, for dpkg and rpm.
# Uncommitted changes to tracked files append ".dirty". Without git, or without its history, the version is 0.9.0+devel.
# "version.sh commit" prints the hash of HEAD, or nothing where the version is a +devel one.
set -eu
cd "$(dirname "$0")/../../.."
release=
# The prefix is empty in a work tree of DCS, and not in one that merely contains its sources.
if [ "$(git rev-parse --is-shallow-repository --show-prefix 2>/dev/null)" = false ]; then
	release=$(git log -1 --format=%H -- .version)
fi
head=
[ -z "$release" ] || head=$(git rev-parse HEAD)
if [ "${1-}" = commit ]; then
	echo "$head"
	exit
fi
number=$(cat .version)
if [ -z "$release" ]; then
	echo "$number+devel"
	exit
fi
commits=$(git rev-list --count "$release..HEAD")
dirty=
git diff --quiet HEAD || dirty=.dirty
if [ "$commits$dirty" = 0 ]; then
	echo "$number"
else
	echo "$number+git.$commits.$(echo "$head" | cut -c1-7)$dirty"
fi
