"""The settings of the place that guests run in: accounts, proxies, package mirrors."""

from __future__ import annotations

from collections.abc import Iterator, Set

from pydantic import Field

import cloudinit
from cloudinit import Family
from components.settings.guest_values import Hosts, MirrorUrl, ProxyUrl, PublicKeys, RepositoryUrls, UserName
from components.settings.model import Contradiction, Model


class Ssh(Model):
    """Who may log in to the guests."""

    user: UserName | None = Field(
        default=None, description="User of every guest, who may log in with a key and use sudo; none: nobody logs in."
    )
    authorized_keys: PublicKeys = Field(default=[], description="The public keys; another list replaces the machines.")

    @property
    def access(self) -> cloudinit.SshAccess | None:
        """What guests are told."""
        keys = tuple(key.strip() for key in self.authorized_keys)
        return cloudinit.SshAccess(user=self.user, authorized_keys=keys) if self.user else None

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the access."""
        keys = ("ssh.authorizedKeys", "ssh.user")
        if self.user and not self.authorized_keys:
            yield Contradiction(keys[::-1], "could not log in: add ssh.authorizedKeys, for there are no passwords")
        elif self.authorized_keys and not self.user:
            yield Contradiction(keys, "need ssh.user, the user whose keys they are")


class Proxy(Model):
    """What guests download packages through; nothing else that they do goes through it."""

    http: ProxyUrl | None = Field(default=None, description="Proxy that guests download http:// packages through.")
    https: ProxyUrl | None = Field(default=None, description="Proxy that guests download https:// packages through.")
    no_proxy: Hosts = Field(default=[], description="What guests download from without a proxy.")

    @property
    def proxy(self) -> cloudinit.Proxy:
        """What guests are told."""
        return cloudinit.Proxy(http=self.http, https=self.https, no_proxy=tuple(self.no_proxy))

    def contradictions(self) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the proxies."""
        if self.no_proxy and not (self.http or self.https):
            problem = "is an exception from nothing: set proxy.http or proxy.https, or remove it"
            yield Contradiction(("proxy.noProxy", "proxy.http", "proxy.https"), problem)


class DebianMirror(Model):
    """Where guests of the debian family get packages."""

    primary: MirrorUrl | None = Field(
        default=None, description="Mirror of the distribution's main archive, in place of the image's own sources."
    )
    security: MirrorUrl | None = Field(
        default=None, description="Mirror of Debian's security archive; none: Ubuntu's is in the main one."
    )


class FedoraMirror(Model):
    """Where guests of the fedora family get packages."""

    repositories: RepositoryUrls = Field(
        default=[], description="Repositories in place of the image's own, signed with the distribution's keys."
    )


class PackageMirror(Model):
    """Where guests get what their image lacks, where the distribution's own servers are out of reach."""

    debian: DebianMirror = Field(default=DebianMirror(), description="For guests of the debian family.")
    fedora: FedoraMirror = Field(default=FedoraMirror(), description="For guests of the fedora family.")
    k6: MirrorUrl | None = Field(
        default=None, description="Where k6's releases lie, in place of GitHub's address for them."
    )

    @property
    def mirrors(self) -> cloudinit.Mirrors:
        """What guests are told."""
        return cloudinit.Mirrors(
            debian_primary=self.debian.primary,
            debian_security=self.debian.security,
            fedora_repositories=tuple(self.fedora.repositories),
            k6=self.k6 and self.k6.rstrip("/"),
        )

    def contradictions(self, families: Set[Family]) -> Iterator[Contradiction]:
        """Yield what doesn't go together in the mirrors, and those for families that no guest is of."""
        if self.debian.security and not self.debian.primary:
            problem = "needs packageMirror.debian.primary: the packages themselves come from there"
            yield Contradiction(("packageMirror.debian.security", "packageMirror.debian.primary"), problem)
        given = {
            Family.DEBIAN: ("packageMirror.debian.primary", self.debian.primary),
            Family.FEDORA: ("packageMirror.fedora.repositories", self.fedora.repositories),
        }
        for family, (key, value) in given.items():
            if value and family not in families:
                problem = f"is for guests of the {family} family, and there are none: remove it, or set their family"
                yield Contradiction((key,), problem)
