#!/usr/bin/env bash
# ADDRESS: 0 if the service whose admin address that is says that it is ready; else its reasons, and 1.
# Debian's bash speaks TCP, so the image needs no program that it would not have anyway.
set -u

address=$1
exec 3<>"/dev/tcp/${address%:*}/${address##*:}" || exit 1
printf 'GET /readyz HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n' "$address" >&3
IFS=' ' read -r -t 2 -u 3 _ status _ || exit 1
sed '1,/^\r*$/d' <&3
[[ $status == 200 ]]
