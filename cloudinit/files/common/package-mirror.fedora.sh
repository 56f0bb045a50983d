#!/bin/sh
# Makes dnf use the mirror's repositories alone; REPOSITORIES are their base URLs, which may contain dnf's variables.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/package-mirror.conf

directory=/etc/yum.repos.d
rm -f "$directory/virtwork.repo"
# The distribution's own keys, as its own repositories name them.
keys=$(cat "$directory"/*.repo | sed -n 's/^gpgkey *= *//p' | sort -u | tr '\n' ' ')
for file in "$directory"/*.repo; do
    sed -i 's/^enabled *= *1/enabled=0/' "$file"
done
number=0
for url in $REPOSITORIES; do
    printf '[virtwork-%s]\nname=Package mirror %s\nbaseurl=%s\nenabled=1\ngpgcheck=1\ngpgkey=%s\n' \
        "$number" "$number" "$url" "$keys"
    number=$((number + 1))
done >"$directory/virtwork.repo"
