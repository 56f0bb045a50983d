#!/bin/sh
# Installs the packages in the arguments that are missing. A golden image has all of them; then this takes
# milliseconds and needs no mirror.
set -u

missing=
for package in "$@"; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0
echo "multi-tier: installing missing packages:$missing"
# shellcheck source=/dev/null
[ ! -e /etc/virtwork/downloads.conf ] || . /etc/virtwork/downloads.conf

# A package's service must not start before it is configured.
if [ ! -e /usr/sbin/policy-rc.d ]; then
    printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
    chmod 0755 /usr/sbin/policy-rc.d
    trap 'rm -f /usr/sbin/policy-rc.d' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
for attempt in 1 2 3 4 5; do
    # shellcheck disable=SC2086 # a list of package names
    if timeout 120 apt-get -q -o Acquire::http::Timeout=20 update &&
        timeout 300 apt-get -q -y --no-install-recommends -o DPkg::Lock::Timeout=60 \
            -o Acquire::Retries=3 -o Dpkg::Options::=--force-confold install $missing; then
        exit 0
    fi
    echo "multi-tier: attempt $attempt of 5 to install$missing failed"
    sleep $((attempt * 3))
done
echo "multi-tier: FAILED to install$missing: is a package mirror reachable from this guest? See /var/log/apt/term.log."
exit 1
