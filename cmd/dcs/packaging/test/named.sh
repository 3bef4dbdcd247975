#!/bin/bash
# named.sh ROOT checks that the package unpacked in ROOT contains every file and man page of dcs that it names. It prints what is
# missing, and then fails.
set -euo pipefail
cd "$1"
# Copies of the texts, uncompressed and without the roff, Markdown and HTML markup that can occur within names.
plain=$(mktemp -d)
trap 'rm -rf "$plain"' EXIT
find etc usr/lib usr/share -type f ! -name NOTICES ! -name CHANGELOG.md ! -name '*.json' -exec cp --parents -t "$plain" {} +
root=$PWD
cd "$plain"
find . -name '*.gz' -exec gunzip {} +
find . -type f -exec sed -i -e 's/\\f[BIPR]//g; s/\\-/-/g; s/\\&//g; s/[*`]//g; s/<\/*\(b\|strong\|code\|em\)>//g' {} +

names() { { grep -roE "$1" . || true; } | sort -u; } # names PATTERN: lines of FILE:NAME
status=0
miss() { echo "${1#./} names $2, which the package lacks" >&2; status=1; }
while IFS=: read -r file path; do
  [ -e "$root${path%.}" ] || miss "$file" "$path"
done < <(names '/usr/(bin|lib|share)/[A-Za-z0-9_./-]*dcs[A-Za-z0-9_./-]*')
while IFS=: read -r file page; do
  name=${page%(*} section=${page##*(}
  [ -e "$root/usr/share/man/man${section%)}/$name.${section%)}.gz" ] || miss "$file" "$page"
done < <(names '\bdcs[a-z.-]*\([1-8]\)')
while IFS=: read -r file page; do
  compgen -G "$root/usr/share/man/man*/${page#man }.*.gz" >/dev/null || miss "$file" "$page"
done < <(names '\bman dcs[a-z.-]*[a-z]')
# A link begins at its document's directory; a name in prose means a document of the package.
while IFS=: read -r file link; do
  name=$(sed -E 's/^(\]\(|href=")//' <<<"$link")
  [ -e "$root/${file%/*}/$name" ] || miss "$file" "$name"
done < <(names '(\]\(|href=")[^)":#]+\.(md|html)\b')
while IFS=: read -r file name; do
  [ -e "$root/usr/share/doc/dcs/$(sed 's/^[^A-Za-z0-9_-]//' <<<"$name")" ] || miss "$file" "$name"
done < <(names '(^|[^A-Za-z0-9_./:-])[A-Za-z0-9_-]+\.md\b')
exit $status
