"""The kinds of value that guests are told of the place they run in. What may be a mistaken secret is never repeated."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Callable
from typing import Annotated

from pydantic import BeforeValidator

from components.settings.values import HOST, pattern

# Accounts that guests have for programs: a person who logs in as one of them could not be told from it.
TAKEN = re.compile(r"root|daemon|nobody|sshd|postgres|nginx|www-data|systemd-.*|virtwork-.*")
_USER = re.compile(r"[a-z_][a-z0-9_-]{0,30}", re.ASCII)
_KEY_TYPES = ("ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521")
_SECURITY_KEY_TYPES = ("sk-ssh-ed25519@openssh.com", "sk-ecdsa-sha2-nistp256@openssh.com")
_CERTIFICATE = re.compile(r"\s*-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\s*", re.ASCII)
_WITHOUT_PROXY = re.compile(r"\.?[A-Za-z0-9*][A-Za-z0-9.:/-]*", re.ASCII)


def _list_of(fits: Callable[[str], bool], allowed: str) -> BeforeValidator:
    def check(value: object) -> object:
        if not isinstance(value, list) or not all(isinstance(one, str) and fits(one) for one in value):
            raise ValueError(f"must be a list of {allowed}")
        return value

    return BeforeValidator(check)


def _user(value: object) -> object:
    if not isinstance(value, str) or not _USER.fullmatch(value) or TAKEN.fullmatch(value):
        raise ValueError("must be a user name of a-z, 0-9, _ and -, and none that guests have already, such as root")
    return value


def _is_public_key(line: str) -> bool:
    """Whether it is a line of authorized_keys without options, whose key is of the kind that it says."""
    kind, _, rest = line.strip().partition(" ")
    if kind not in (*_KEY_TYPES, *_SECURITY_KEY_TYPES) or not line.isprintable():
        return False
    try:
        key = base64.b64decode(rest.partition(" ")[0], validate=True)
    except binascii.Error:
        return False
    # It begins with its kind, after that one's length.
    return key[:4] == len(kind).to_bytes(4, "big") and key[4:].startswith(kind.encode()) and len(key) > len(kind) + 32


def _is_certificate(text: str) -> bool:
    if not _CERTIFICATE.fullmatch(text):
        return False
    try:
        ssl.create_default_context(cadata=text)
    except ssl.SSLError:
        return False
    return True


UserName = Annotated[str, BeforeValidator(_user)]
PublicKeys = Annotated[
    list[str], _list_of(_is_public_key, 'public keys, each as its .pub file has it: "ssh-ed25519 AAAA... name"')
]
Certificates = Annotated[
    list[str],
    _list_of(_is_certificate, "authorities' certificates, each one PEM text: -----BEGIN CERTIFICATE----- ..."),
]
Hosts = Annotated[
    list[str],
    _list_of(
        lambda text: _WITHOUT_PROXY.fullmatch(text) is not None, 'hosts, domains or networks, such as ".example.com"'
    ),
]
RepositoryUrls = Annotated[
    list[str],
    _list_of(
        lambda text: re.fullmatch(rf"https?://{HOST}(/[A-Za-z0-9._~/$-]*)?", text, re.ASCII) is not None,
        'base URLs of repositories, such as "http://mirror.example/fedora/$releasever/$basearch/"',
    ),
]
MirrorUrl = Annotated[
    str, pattern(rf"https?://{HOST}(/[A-Za-z0-9._~/-]*)?", 'an address such as "http://mirror.example/debian"')
]
ProxyUrl = Annotated[str, pattern(rf"http://{HOST}/?", 'an address such as "http://proxy.example:3128"')]
