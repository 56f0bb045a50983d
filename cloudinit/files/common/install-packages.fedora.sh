#!/bin/sh
# Installs the packages in the arguments that are missing. A golden image has all of them; then this takes
# milliseconds and needs no mirror.
set -u

fail() {
    echo "multi-tier: FAILED to $*"
    exit 1
}

if ! command -v dnf >/dev/null; then
    echo "multi-tier: REFUSED: this image has no dnf. Set <tier>.family to that of its distribution."
    exit 78
fi
missing=
for package in "$@"; do
    rpm --query --quiet "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "multi-tier: installing missing packages:$missing"
# cloud-init writes the package manager's sources in its stage "config", which may not have ended.
systemctl start cloud-config.service || true
# shellcheck source=/dev/null
[ ! -e /etc/virtwork/downloads.conf ] || . /etc/virtwork/downloads.conf

# An image of RHEL has no repositories before it is registered.
[ -n "$(dnf --quiet repolist --enabled 2>/dev/null)" ] ||
    fail "install$missing: dnf has no repositories. Register the image, or set packageMirror.fedora.repositories."
# A mirror that stalls is given up after 20 s, and systemd starts this again. There is no limit for the whole, which could
# stop rpm in the middle of a package.
# shellcheck disable=SC2086 # a list of package names
dnf --assumeyes --quiet --setopt=install_weak_deps=False --setopt=timeout=20 install $missing ||
    fail "install$missing: is a package mirror reachable from this guest, and does it have them? On RHEL and CentOS" \
        "Stream, the application's packages are in EPEL. See /var/log/dnf.log."
