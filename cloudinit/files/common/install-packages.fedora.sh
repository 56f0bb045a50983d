#!/bin/sh
# Installs the packages in the arguments that are missing. A golden image has all of them; then this takes
# milliseconds and needs no mirror.
set -u

missing=
for package in "$@"; do
    rpm --query --quiet "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "multi-tier: installing missing packages:$missing"
# shellcheck source=/dev/null
[ ! -e /etc/virtwork/downloads.conf ] || . /etc/virtwork/downloads.conf

for attempt in 1 2 3 4 5; do
    # shellcheck disable=SC2086 # a list of package names
    if timeout 420 dnf --assumeyes --quiet --setopt=install_weak_deps=False --setopt=timeout=20 install $missing; then
        exit 0
    fi
    echo "multi-tier: attempt $attempt of 5 to install$missing failed"
    sleep $((attempt * 3))
done
echo "multi-tier: FAILED to install$missing: is a package mirror reachable from this guest? See /var/log/dnf.log."
exit 1
