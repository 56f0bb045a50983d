#!/bin/sh
# Installs k6 on an image without it, from its release, verified with the release's checksums.
set -u

VERSION=v1.8.1
TARGET=/usr/local/bin/k6

[ ! -x $TARGET ] || exit 0
# shellcheck source=/dev/null
[ ! -e /etc/virtwork/downloads.conf ] || . /etc/virtwork/downloads.conf
RELEASE=${K6_RELEASES:-https://github.com/grafana/k6/releases/download}/$VERSION

fail() {
    echo "multi-tier load: FAILED to install k6 $VERSION: $*. No load is sent until it is in $TARGET."
    virtwork-pause virtwork-multi-tier-load.service # before systemd restarts it
    exit 1
}

case $(uname -m) in
    x86_64) name=k6-$VERSION-linux-amd64 ;;
    aarch64) name=k6-$VERSION-linux-arm64 ;;
    *) fail "no release for $(uname -m)" ;;
esac

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work" || fail "can't enter the temporary directory"
for file in "$name.tar.gz" "k6-$VERSION-checksums.txt"; do
    curl --fail --silent --show-error --location --retry 3 --max-time 300 --remote-name "$RELEASE/$file" ||
        fail "$RELEASE/$file could not be downloaded"
done
grep "  $name.tar.gz\$" "k6-$VERSION-checksums.txt" | sha256sum --check --status ||
    fail "$name.tar.gz does not match the release's checksums"
tar --extract --gzip --file "$name.tar.gz" || fail "$name.tar.gz can't be unpacked"
install -m 0755 "$name/k6" $TARGET || fail "$TARGET could not be written"
