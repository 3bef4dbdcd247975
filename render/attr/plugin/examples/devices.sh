#!/bin/sh
# A plug-in for dcs: devices from a text file, one a line: MAC IP PROFILE DOWN, - for none.
#
#   devices:
#     - plugin:
#         argv: [/usr/local/lib/dcs/devices.sh, /etc/dcs/devices.txt]
#
# dcs writes each request on one line, in the very form that is matched here.
file=${1:?usage: devices.sh FILE}

# devices ID MAC IP: all devices, or as the answer ID the one that has MAC or else IP.
devices() {
  awk -v id="$1" -v mac="$2" -v ip="$3" '
    function text(s) { gsub(/\\/, "\\\\", s); gsub(/"/, "\\\"", s); return "\"" s "\"" }
    function pair(key, s) { return s == "" || s == "-" ? "" : text(key) ":" text(s) }
    function join(a, b) { return a == "" || b == "" ? a b : a "," b }
    /^[ \t]*(#|$)/ { next }
    id != "" && !(mac != "" ? tolower($1) == mac : $2 == ip) { next }
    {
      printf "{%s\"attrs\":{%s}}\n", (id == "" ? "" : "\"id\":" id ",") \
        (join(pair("mac", $1), pair("ip", $2)) ","), join(pair("profile", $3), pair("down", $4))
      n++
      if (id != "") exit
    }
    END {
      if (id == "") printf "{\"end\":true,\"count\":%d}\n", n
      else if (!n) printf "{\"id\":%s,\"found\":false}\n", id
    }' "$file"
}

# field NAME LINE: the string that NAME has in LINE.
field() {
  case $2 in
  *"\"$1\":\""*) rest=${2#*"\"$1\":\""} && printf %s "${rest%%\"*}" ;;
  esac
}

echo '{"hello":1,"attributes":["profile","down"],"list":true,"ask":true}'
while IFS= read -r line; do
  case $line in
  '{"list":true}')
    devices '' '' '' || echo '{"error":"the file of devices cannot be read"}'
    ;;
  '{"id":'*)
    id=${line#'{"id":'}
    id=${id%%[!0-9]*}
    devices "$id" "$(field mac "$line")" "$(field ip "$line")" ||
      printf '{"id":%s,"error":"the file of devices cannot be read"}\n' "$id"
    ;;
  esac
done
