"""What the name of an image says about its distribution."""

from __future__ import annotations

import pytest

from cloudinit.families import RELEASES, Release, is_floating, release_of


@pytest.mark.parametrize(
    ("image", "release"),
    [
        ("debian:12", ("debian", "12")),
        ("debian-13-genericcloud-amd64.qcow2", ("debian", "13")),
        ("multi-tier-golden:debian-12", ("debian", "12")),
        ("ubuntu:22.04", ("ubuntu", "22.04")),
        ("fedora:42@sha256:99", ("fedora", "42")),
        ("Fedora-Cloud-Base-Generic-43-1.6.x86_64.qcow2", ("fedora", "43")),
        ("centos-stream9", ("rhel", "9")),
        ("rocky:10.1", ("rhel", "10")),
    ],
)
def test_an_image_is_known_by_distribution_and_version(image: str, release: tuple[str, str]) -> None:
    assert release_of(image) == RELEASES[release]
    assert not is_floating(image)


@pytest.mark.parametrize("image", ["shop-database:12", "debian@sha256:12", "debian:bookworm", "fedora:99", "ubuntu:24"])
def test_an_image_that_is_not_known_is_not_guessed(image: str) -> None:
    assert release_of(image) is None
    assert not is_floating(image)


@pytest.mark.parametrize("image", ["fedora", "fedora:latest", "debian", "centos-stream", "Ubuntu:latest"])
def test_an_image_without_a_version_floats(image: str) -> None:
    assert is_floating(image)


def test_the_default_images_have_a_known_release() -> None:
    assert release_of("debian:12") == Release(15, (3, 11))
    assert release_of("fedora:42") == Release(16, (3, 13))
