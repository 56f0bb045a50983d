#!/bin/sh
# Makes apt use the mirror alone; PRIMARY and SECURITY are its URLs.
set -eu

# shellcheck source=/dev/null
. /etc/virtwork/package-mirror.conf
# shellcheck source=/dev/null
. /etc/os-release

case $ID in
    ubuntu)
        keyring=/usr/share/keyrings/ubuntu-archive-keyring.gpg components="main universe"
        # Its main archive has the security updates too.
        SECURITY=${SECURITY:-$PRIMARY}
        ;;
    *) keyring=/usr/share/keyrings/debian-archive-keyring.gpg components=main ;;
esac

# apt ignores this suffix.
for file in /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources; do
    [ ! -e "$file" ] || mv "$file" "$file.disabled"
done
line() {
    echo "deb [signed-by=$keyring] $1 $2 $components"
}
{
    echo "# Written by virtwork-package-mirror."
    line "$PRIMARY" "$VERSION_CODENAME"
    line "$PRIMARY" "$VERSION_CODENAME-updates"
    [ -z "$SECURITY" ] || line "$SECURITY" "$VERSION_CODENAME-security"
} >/etc/apt/sources.list
