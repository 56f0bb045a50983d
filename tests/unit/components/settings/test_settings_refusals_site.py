"""A mistake about the place that guests run in is told in one clear line, and never with what may be a secret."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cloudinit.guest_examples import AUTHORITY, PUBLIC_KEY
from tests.unit.components.settings.test_settings_refusals_disks import lines

USER = "must be a user name of a-z, 0-9, _ and -, and none that guests have already, such as root"
KEYS = 'must be a list of public keys, each as its .pub file has it: "ssh-ed25519 AAAA... name"'
PROXY = 'must be an address such as "http://proxy.example:3128"'
HOSTS = 'must be a list of hosts, domains or networks, such as ".example.com"'
MIRROR = 'must be an address such as "http://mirror.example/debian"'
REPOSITORIES = (
    'must be a list of base URLs of repositories, such as "http://mirror.example/fedora/$releasever/$basearch/"'
)
AUTHORITIES = "must be a list of authorities' certificates, each one PEM text: -----BEGIN CERTIFICATE----- ..."
PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"

MISTAKES: list[tuple[str, Any, str]] = [
    ("ssh", {"user": "Ann", "authorizedKeys": [PUBLIC_KEY]}, f'ssh.user: "Ann" {USER}'),
    ("ssh", {"user": "root", "authorizedKeys": [PUBLIC_KEY]}, f'ssh.user: "root" {USER}'),
    ("ssh", {"user": "postgres", "authorizedKeys": [PUBLIC_KEY]}, f'ssh.user: "postgres" {USER}'),
    ("ssh", {"user": "ann", "authorizedKeys": PUBLIC_KEY}, f'ssh.authorizedKeys: "{PUBLIC_KEY[:59]}… {KEYS}'),
    ("ssh", {"user": "ann", "authorizedKeys": [PRIVATE_KEY]}, f"ssh.authorizedKeys: {KEYS}"),
    ("ssh", {"user": "ann", "authorizedKeys": ["~/.ssh/id_ed25519.pub"]}, f"ssh.authorizedKeys: {KEYS}"),
    ("ssh", {"user": "ann", "authorizedKeys": ["ssh-ed25519 AAAA"]}, f"ssh.authorizedKeys: {KEYS}"),
    ("ssh", {"user": "ann", "authorizedKeys": [PUBLIC_KEY.replace("ed25519", "rsa")]}, f"ssh.authorizedKeys: {KEYS}"),
    ("ssh", {"user": "ann", "authorizedKeys": [PUBLIC_KEY + "\nssh-rsa"]}, f"ssh.authorizedKeys: {KEYS}"),
    ("ssh", {"user": "ann"}, 'ssh.user: "ann" could not log in: add ssh.authorizedKeys, for there are no passwords'),
    ("ssh", {"authorizedKeys": [PUBLIC_KEY]}, "ssh.authorizedKeys: need ssh.user, the user whose keys they are"),
    ("ssh", {"password": "hunter2"}, "ssh.password: is unknown; the keys here are user, authorizedKeys"),
    ("proxy", {"http": "proxy:3128"}, f'proxy.http: "proxy:3128" {PROXY}'),
    ("proxy", {"https": "http://me:word@proxy:3128"}, f'proxy.https: "http://me:word@proxy:3128" {PROXY}'),
    ("proxy", {"http": "http://proxy", "noProxy": "a,b"}, f'proxy.noProxy: "a,b" {HOSTS}'),
    ("proxy", {"http": "http://proxy", "noProxy": ["a b"]}, f"proxy.noProxy: {HOSTS}"),
    (
        "proxy",
        {"noProxy": [".example"]},
        "proxy.noProxy: is an exception from nothing: set proxy.http or proxy.https, or remove it",
    ),
    ("packageMirror", {"debian": {"primary": "mirror"}}, f'packageMirror.debian.primary: "mirror" {MIRROR}'),
    ("packageMirror", {"k6": "file:///k6"}, f'packageMirror.k6: "file:///k6" {MIRROR}'),
    (
        "packageMirror",
        {"debian": {"security": "http://mirror"}},
        'packageMirror.debian.security: "http://mirror" needs packageMirror.debian.primary: '
        "the packages themselves come from there",
    ),
    (
        "packageMirror",
        {"fedora": {"repositories": ["http://mirror"]}},
        "packageMirror.fedora.repositories: is for guests of the fedora family, and there are none: "
        "remove it, or set their family",
    ),
    (
        "packageMirror",
        {"fedora": {"repositories": "http://mirror"}},
        f'packageMirror.fedora.repositories: "http://mirror" {REPOSITORIES}',
    ),
    ("certificateAuthorities", AUTHORITY, f"certificateAuthorities: {AUTHORITIES}"),
    ("certificateAuthorities", ["/etc/ssl/ca.pem"], f"certificateAuthorities: {AUTHORITIES}"),
    ("certificateAuthorities", [AUTHORITY + AUTHORITY], f"certificateAuthorities: {AUTHORITIES}"),
    ("certificateAuthorities", [AUTHORITY.replace("M", "N")], f"certificateAuthorities: {AUTHORITIES}"),
]


@pytest.mark.parametrize(
    ("key", "value", "line"), MISTAKES, ids=[f"{n} {line.split(' ')[0]}" for n, (*_, line) in enumerate(MISTAKES)]
)
def test_a_mistake_about_the_place_is_told_in_exactly_one_line(key: str, value: Any, line: str) -> None:
    (found,) = lines({key: value})

    if key == "certificateAuthorities" and isinstance(value, str):
        assert found.startswith("multi-tier:certificateAuthorities: ")
        assert found.endswith(AUTHORITIES)
    else:
        assert found == f"multi-tier:{line}"


def test_a_private_key_is_never_repeated() -> None:
    (found,) = lines({"ssh": {"user": "ann", "authorizedKeys": [PRIVATE_KEY]}})

    assert "hunter2" not in found
