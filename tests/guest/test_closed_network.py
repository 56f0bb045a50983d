"""Mirrors, proxies and certificate authorities, as the image's own programs use them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from cloudinit import Family
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import AUTHORITY, EVERY_GUEST

IN_CLOSED_NETWORK = EVERY_GUEST["load-in-closed-network"]
REPO = """[fedora]
name=Fedora $releasever
metalink=https://mirrors.example/metalink
enabled=1
gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-$releasever-$basearch
[fedora-source]
enabled = 1
gpgkey = file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-$releasever-$basearch
"""


@pytest.fixture
def closed(guest: GuestRoot) -> Iterator[GuestRoot]:
    """A Debian guest in a closed network; the image is restored afterwards."""
    guest.run("cp", "-a", "/etc/apt", "/opt/apt-before")
    guest.write_files(IN_CLOSED_NETWORK(Family.DEBIAN))
    yield guest
    guest.run("sh", "-euc", "rm -r /etc/apt /etc/virtwork/downloads.conf /etc/virtwork/package-mirror.conf")
    guest.run("mv", "/opt/apt-before", "/etc/apt")


def test_apt_uses_the_mirror_alone(closed: GuestRoot) -> None:
    closed.write("/etc/apt/sources.list.d/debian.sources", "Types: deb\nURIs: http://deb.example\nSuites: x\n")
    closed.run("virtwork-package-mirror")
    closed.run("virtwork-package-mirror")  # a second run changes nothing

    said = closed.run("apt-get", "update", "--print-uris")
    assert re.findall(r"'([^']+)/InRelease'", said) == [
        "http://mirror.example/debian/dists/bookworm",
        "http://mirror.example/debian/dists/bookworm-updates",
        "http://mirror.example/debian-security/dists/bookworm-security",
    ]


def test_ubuntu_gets_universe_and_security_updates_from_one_mirror(closed: GuestRoot) -> None:
    closed.write("/etc/virtwork/package-mirror.conf", "PRIMARY=http://mirror.example/ubuntu\nSECURITY=''\n")
    closed.run("cp", "/etc/os-release", "/opt/os-release")
    closed.run("rm", "/etc/os-release")
    closed.write("/etc/os-release", "ID=ubuntu\nVERSION_CODENAME=noble\n")
    closed.run("virtwork-package-mirror")
    closed.run("cp", "/opt/os-release", "/etc/os-release")

    lines = closed.run("grep", "^deb", "/etc/apt/sources.list").splitlines()
    assert [line.split("] ")[1] for line in lines] == [
        "http://mirror.example/ubuntu noble main universe",
        "http://mirror.example/ubuntu noble-updates main universe",
        "http://mirror.example/ubuntu noble-security main universe",
    ]


def test_dnf_uses_the_mirror_alone_and_keeps_the_distributions_keys(guest: GuestRoot) -> None:
    # The script runs with Debian's shell and tools; the image has no dnf to read the result.
    guest.write_files(IN_CLOSED_NETWORK(Family.FEDORA))
    guest.write("/etc/yum.repos.d/fedora.repo", REPO)
    guest.run("virtwork-package-mirror")

    assert "enabled=1" not in guest.run("cat", "/etc/yum.repos.d/fedora.repo")
    assert guest.run("cat", "/etc/yum.repos.d/virtwork.repo").splitlines()[:6] == [
        "[virtwork-0]",
        "name=Package mirror 0",
        "baseurl=http://mirror.example/fedora/$releasever/$basearch/os/",
        "enabled=1",
        "gpgcheck=1",
        "gpgkey=file:///etc/pki/rpm-gpg/RPM-GPG-KEY-fedora-$releasever-$basearch ",
    ]


def test_programs_trust_the_authority(closed: GuestRoot) -> None:
    closed.run("update-ca-certificates")

    assert AUTHORITY in closed.run("cat", "/etc/ssl/certs/ca-certificates.crt")


def test_packages_and_k6_come_from_the_mirror_through_the_proxy(closed: GuestRoot) -> None:
    closed.write("/opt/test/stubs/virtwork-pause", "#!/bin/sh\n", 0o755)
    for name in ("apt-get", "curl"):
        closed.write(f"/opt/test/stubs/{name}", f'#!/bin/sh\necho "{name} $https_proxy $no_proxy $*"\nexit 6\n', 0o755)
    closed.run("sh", "-c", "mv /usr/local/bin/k6 /usr/local/bin/k6.away 2>/dev/null || true")
    stubbed = ("env", "PATH=/opt/test/stubs:/usr/sbin:/usr/bin")
    said = closed.run(*stubbed, "/usr/local/sbin/virtwork-install-k6", check=False)
    said += closed.run(*stubbed, "/usr/local/sbin/virtwork-install-packages", "no-such-package", check=False)
    closed.run("sh", "-c", "mv /usr/local/bin/k6.away /usr/local/bin/k6 2>/dev/null || true")

    through = "http://proxy.example:3128 .example,10.0.0.0/8"
    assert f"curl {through} --fail" in said
    assert "http://mirror.example/k6/v2.1.0/k6-v2.1.0-linux-amd64.tar.gz" in said
    assert f"apt-get {through} -q" in said
