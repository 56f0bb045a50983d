"""Settings of the guests' environment: accounts, proxies, package mirrors, certificate authorities."""

from __future__ import annotations

import base64
import binascii
import re
import ssl
from collections.abc import Iterator
from typing import Annotated

from annotated_types import Predicate
from pydantic import Field

from components.settings.model import Contradiction, Model
from components.settings.values import HOST, REACHABLE, allowing, pattern

# System accounts of the guests; logging in as one of them would look like the service.
_RESERVED_USERS = re.compile(r"root|daemon|nobody|sshd|postgres|nginx|www-data|systemd-.*|virtwork-.*")
_KEY_TYPES = (
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
)
_CERTIFICATE = re.compile(r"\s*-----BEGIN CERTIFICATE-----\n[A-Za-z0-9+/=\n]+\n-----END CERTIFICATE-----\s*", re.ASCII)


def _is_public_key(line: str) -> bool:
    """Return whether it is a line of authorized_keys without options, with a key of the type that it names."""
    kind, _, rest = line.strip().partition(" ")
    if kind not in _KEY_TYPES or not line.isprintable():
        return False
    try:
        key = base64.b64decode(rest.partition(" ")[0], validate=True)
    except binascii.Error:
        return False
    # The key starts with the length and the name of its type.
    return key[:4] == len(kind).to_bytes(4, "big") and key[4:].startswith(kind.encode()) and len(key) > len(kind) + 32


def _is_certificate(text: str) -> bool:
    if not _CERTIFICATE.fullmatch(text):
        return False
    try:
        ssl.create_default_context(cadata=text)
    except ssl.SSLError:
        return False
    return True


UserName = Annotated[
    str,
    pattern(r"[a-z_][a-z0-9_-]{0,30}"),
    Predicate(lambda name: not _RESERVED_USERS.fullmatch(name)),
    allowing("a user name of a-z, 0-9, _ and - that is not a system account such as root"),
]
PublicKey = Annotated[
    str,
    Predicate(_is_public_key),
    allowing('a public key as in its .pub file, such as "ssh-ed25519 AAAA... name"', secret=True),
]
Certificate = Annotated[
    str,
    Predicate(_is_certificate),
    allowing("the PEM text of one certificate: -----BEGIN CERTIFICATE----- ...", secret=True),
]
DownloadHost = Annotated[
    str,
    pattern(r"\.?[A-Za-z0-9*][A-Za-z0-9.:/-]*"),
    allowing('a host, domain or network such as ".example.com"'),
]
RepositoryUrl = Annotated[
    str,
    pattern(rf"https?://{HOST}(/[A-Za-z0-9._~/$-]*)?"),
    REACHABLE,
    allowing('the base URL of a repository such as "http://mirror.example/fedora/$releasever/$basearch/"'),
]
MirrorUrl = Annotated[
    str,
    pattern(rf"https?://{HOST}(/[A-Za-z0-9._~/-]*)?"),
    REACHABLE,
    allowing('a URL such as "http://mirror.example/debian"'),
]
ProxyUrl = Annotated[
    str, pattern(rf"http://{HOST}/?"), REACHABLE, allowing('a URL such as "http://proxy.example:3128"')
]


class SshSettings(Model):
    """SSH access to the guests."""

    user: UserName | None = Field(
        default=None,
        description="User that is created in every guest, with SSH keys and sudo. Defaults to no user, so no logins.",
    )
    authorized_keys: list[PublicKey] = Field(
        default=[], description="Public keys of the user. A change replaces the machines."
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a user without keys, or keys without a user."""
        if self.user and not self.authorized_keys:
            yield Contradiction("user", "could not log in: add ssh.authorizedKeys, because passwords are disabled")
        elif self.authorized_keys and not self.user:
            yield Contradiction("authorizedKeys", "needs ssh.user, the user to authorize the keys for")


class ProxySettings(Model):
    """Proxies for package downloads; other traffic of the guests doesn't use them."""

    http: ProxyUrl | None = Field(
        default=None, description="Proxy for package downloads over HTTP. Defaults to a direct connection."
    )
    https: ProxyUrl | None = Field(
        default=None, description="Proxy for package downloads over HTTPS. Defaults to a direct connection."
    )
    no_proxy: list[DownloadHost] = Field(default=[], description="Hosts to download packages from directly.")

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield exceptions from a proxy that isn't set."""
        if self.no_proxy and not (self.http or self.https):
            yield Contradiction("noProxy", "has no effect without a proxy: set http or https, or remove noProxy")


class DebianMirror(Model):
    """Package sources of guests of the debian family."""

    primary: MirrorUrl | None = Field(
        default=None, description="Mirror of the main archive. Defaults to the sources in the image."
    )
    security: MirrorUrl | None = Field(
        default=None,
        description="Mirror of Debian's security archive. Defaults to no mirror, because Ubuntu's main archive has the "
        "security updates.",
    )

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield a security mirror alone."""
        if self.security and not self.primary:
            yield Contradiction("security", "needs primary: the packages themselves come from the main archive")


class FedoraMirror(Model):
    """Package sources of guests of the fedora family."""

    repositories: list[RepositoryUrl] = Field(
        default=[],
        description="Repositories to use instead of the image's own, signed with the distribution's keys.",
    )


class PackageMirrorSettings(Model):
    """Download sources for networks without access to the distributions' servers."""

    debian: DebianMirror = Field(default=DebianMirror(), description="Sources for guests of the debian family.")
    fedora: FedoraMirror = Field(default=FedoraMirror(), description="Sources for guests of the fedora family.")
    k6: MirrorUrl | None = Field(default=None, description="Mirror of k6's releases. Defaults to k6's page on GitHub.")
