"""Settings of the guests' environment. Rejected values that may be secrets are not repeated."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.cloudinit.guest_examples import AUTHORITY, PUBLIC_KEY
from tests.unit.components.settings.refused import named, refusals

USER = "must be a user name of a-z, 0-9, _ and - that is not a system account such as root"
KEY = 'must be a public key as in its .pub file, such as "ssh-ed25519 AAAA... name"'
PROXY = 'must be a URL such as "http://proxy.example:3128"'
HOST = "a host, domain or network such as"
MIRROR = 'must be a URL such as "http://mirror.example/debian"'
CERTIFICATE = "the PEM text of one certificate: -----BEGIN CERTIFICATE----- ..."
PRIVATE_KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n"

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"ssh": {"user": "Ann", "authorizedKeys": [PUBLIC_KEY]}}, f'ssh.user: "Ann" {USER}'),
    ({"ssh": {"user": "postgres", "authorizedKeys": [PUBLIC_KEY]}}, f'ssh.user: "postgres" {USER}'),
    (
        {"ssh": {"user": "ann"}},
        'ssh.user: "ann" could not log in: add ssh.authorizedKeys, because passwords are disabled',
    ),
    (
        {"ssh": {"authorizedKeys": [PUBLIC_KEY]}},
        "ssh.authorizedKeys: needs ssh.user, the user to authorize the keys for",
    ),
    ({"proxy": {"http": "proxy:3128"}}, f'proxy.http: "proxy:3128" {PROXY}'),
    (
        {"proxy": {"http": "http://proxy", "noProxy": "a,b"}},
        f'proxy.noProxy: "a,b" must be a list, each item {HOST} ".example.com"',
    ),
    (
        {"proxy": {"http": "http://proxy", "noProxy": ["a", "b c"]}},
        f'proxy.noProxy[1]: "b c" must be {HOST} ".example.com"',
    ),
    (
        {"proxy": {"noProxy": [".example"]}},
        "proxy.noProxy: has no effect without a proxy: set http or https, or remove noProxy",
    ),
    ({"packageMirror": {"debian": {"primary": "mirror"}}}, f'packageMirror.debian.primary: "mirror" {MIRROR}'),
    (
        {"packageMirror": {"debian": {"security": "http://mirror"}}},
        'packageMirror.debian.security: "http://mirror" needs primary: '
        "the packages themselves come from the main archive",
    ),
    (
        {"packageMirror": {"fedora": {"repositories": ["http://mirror"]}}},
        "packageMirror.fedora.repositories: has no effect because no guest is of the fedora family: remove it",
    ),
    ({"certificateAuthorities": AUTHORITY}, f"certificateAuthorities: must be a list, each item {CERTIFICATE}"),
    ({"certificateAuthorities": ["/etc/ssl/ca.pem"]}, f"certificateAuthorities[0]: must be {CERTIFICATE}"),
    ({"certificateAuthorities": [AUTHORITY + AUTHORITY]}, f"certificateAuthorities[0]: must be {CERTIFICATE}"),
    ({"certificateAuthorities": [AUTHORITY.replace("M", "N")]}, f"certificateAuthorities[0]: must be {CERTIFICATE}"),
]


@pytest.mark.parametrize(("config", "line"), named(MISTAKES))
def test_a_mistake_about_the_environment_is_reported_in_one_line(config: dict[str, Any], line: str) -> None:
    assert refusals(config) == [line]


@pytest.mark.parametrize(
    "wrong",
    [
        PRIVATE_KEY,
        "~/.ssh/id_ed25519.pub",
        "ssh-ed25519 AAAA",
        PUBLIC_KEY.replace("ed25519", "rsa"),
        f"{PUBLIC_KEY}\nssh-rsa",
    ],
)
def test_what_is_no_public_key_is_refused_without_repeating_it(wrong: str) -> None:
    keys = {"ssh": {"user": "ann", "authorizedKeys": [PUBLIC_KEY, wrong]}}
    text = {"ssh": {"user": "ann", "authorizedKeys": wrong}}

    assert refusals(keys) == [f"ssh.authorizedKeys[1]: {KEY}"]
    assert refusals(text) == [f"ssh.authorizedKeys: {KEY.replace('be a', 'be a list, each item a')}"]
