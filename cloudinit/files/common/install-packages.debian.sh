#!/bin/sh
# Installs the packages in the arguments that are missing. A golden image has all of them; then this takes
# milliseconds and needs no mirror.
set -u

fail() {
    echo "multi-tier: FAILED to $*"
    exit 1
}

if ! command -v dpkg-query >/dev/null; then
    echo "multi-tier: REFUSED: this image has no apt. Set <tier>.family to that of its distribution."
    exit 78
fi
found=$(dpkg-query --show --showformat='${db:Status-Status}:${Package} ' "$@" 2>/dev/null)
missing=
for package in "$@"; do
    case " $found" in
        *" installed:$package "*) ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0
echo "multi-tier: installing missing packages:$missing"
# cloud-init writes the package manager's sources in its stage "config", which may not have ended.
systemctl start cloud-config.service || true
# shellcheck source=/dev/null
[ ! -e /etc/virtwork/downloads.conf ] || . /etc/virtwork/downloads.conf

# A package's service must not start before it is configured.
policy=/usr/sbin/policy-rc.d
if [ ! -e $policy ] || grep -q virtwork-install-packages $policy; then # of an earlier run that was killed
    printf '#!/bin/sh\n# virtwork-install-packages\nexit 101\n' >$policy
    chmod 0755 $policy
    trap 'rm -f $policy' EXIT
fi

export DEBIAN_FRONTEND=noninteractive
get() {
    # A mirror that stalls is given up after 20 s, and systemd starts this again. There is no limit for the whole, which
    # could stop dpkg in the middle of a package.
    apt-get -q -y --no-install-recommends -o Acquire::http::Timeout=20 -o Acquire::Retries=3 \
        -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold "$@"
}

# Completes what a killed run has left.
dpkg --force-confold --configure --pending || fail "complete an interrupted installation. See /var/log/dpkg.log."
# shellcheck disable=SC2086 # a list of package names
if ! get update || ! get --fix-broken install $missing; then
    fail "install$missing: is a package mirror reachable from this guest? See /var/log/apt/term.log."
fi
