#!/bin/sh
# Installs k6 on an image without it, from its release. The digests are part of this program, so it may come from anywhere.
set -u

VERSION=v2.1.0
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
    x86_64)
        name=k6-$VERSION-linux-amd64
        digest=295d961ebfca306f295f1133068dcd403a8171c87f387928f5f30b0fbcff858a
        ;;
    aarch64)
        name=k6-$VERSION-linux-arm64
        digest=191fa8d89512a4e5083f3fabcb4c3828af9f5b9eee016de8443f6473c029ffb5
        ;;
    *) fail "no release for $(uname -m)" ;;
esac

work=$(mktemp --directory)
trap 'rm -rf "$work"' EXIT
cd "$work" || fail "can't enter the temporary directory"
curl --fail --silent --show-error --location --retry 3 --max-time 300 --remote-name "$RELEASE/$name.tar.gz" ||
    fail "$RELEASE/$name.tar.gz could not be downloaded"
echo "$digest  $name.tar.gz" | sha256sum --check --status ||
    fail "$RELEASE/$name.tar.gz has the SHA-256 digest $(sha256sum "$name.tar.gz" | cut -c 1-64), and not $digest of the release"
tar --extract --gzip --file "$name.tar.gz" || fail "$name.tar.gz can't be unpacked"
install -m 0755 "$name/k6" $TARGET || fail "$TARGET could not be written"
