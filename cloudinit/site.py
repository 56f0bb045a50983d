"""What the place that guests run in asks of every one of them: accounts, proxies, authorities, package mirrors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudinit.constants import PROGRAMS, SETTINGS
from cloudinit.document import GuestFile
from cloudinit.families import FACTS, Family
from cloudinit.guest_files import program
from cloudinit.templates import shell_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """Who may log in, and with which keys."""

    user: str
    authorized_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """What guests download packages through."""

    http: str | None = None
    https: str | None = None
    no_proxy: tuple[str, ...] = ()
    """Hosts, domains and networks that are reached without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Where packages come from, in place of the distribution's own servers."""

    debian_primary: str | None = None
    debian_security: str | None = None
    fedora_repositories: tuple[str, ...] = ()
    k6: str | None = None
    """In place of the address that k6's releases lie below."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The place; the default asks for nothing."""

    ssh: SshAccess | None = None
    proxy: Proxy = Proxy()
    mirrors: Mirrors = Mirrors()
    certificate_authorities: tuple[str, ...] = ()
    """PEM, one certificate each, that guests trust besides the distribution's."""


ANYWHERE = Site()


def site_keys(site: Site) -> Mapping[str, Any]:
    """Return the keys of a cloud-config for the accounts."""
    if site.ssh is None:
        return {}
    user = {
        "name": site.ssh.user,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": True,
        "ssh_authorized_keys": list(site.ssh.authorized_keys),
    }
    # Without "default" among them the image's own user isn't made.
    return {"users": [user], "ssh_pwauth": False, "disable_root": True}


def site_files(site: Site, family: Family) -> list[GuestFile]:
    """Return what guests of a family are told of the place."""
    directory, ending = FACTS[family].trust_anchors
    files = [
        GuestFile(path=f"{directory}/virtwork-{number}.{ending}", content=pem)
        for number, pem in enumerate(site.certificate_authorities)
    ]
    if settings := _downloads(site):
        content = "".join(f"export {line}\n" for line in shell_settings(**settings).splitlines())
        files.append(GuestFile(path=f"{SETTINGS}/downloads.conf", content=content))
    if mirror := _mirror(site.mirrors, family):
        files.append(GuestFile(path=f"{SETTINGS}/package-mirror.conf", content=shell_settings(**mirror)))
        files.append(program("package-mirror", f"common/package-mirror.{family}.sh"))
    return files


def site_commands(site: Site, family: Family) -> list[list[str]]:
    """Return what has to be done before packages are installed."""
    commands = [[FACTS[family].update_trust]] if site.certificate_authorities else []
    return [*commands, *([[f"{PROGRAMS}/virtwork-package-mirror"]] if _mirror(site.mirrors, family) else [])]


def _downloads(site: Site) -> dict[str, str]:
    """Return what our own scripts download with, as apt, dnf and curl read it from the environment."""
    settings = {
        "http_proxy": site.proxy.http,
        "https_proxy": site.proxy.https,
        "no_proxy": ",".join(site.proxy.no_proxy),
        "K6_RELEASES": site.mirrors.k6,
    }
    return {name: value for name, value in settings.items() if value}


def _mirror(mirrors: Mirrors, family: Family) -> dict[str, str]:
    if family is Family.FEDORA:
        return {"REPOSITORIES": " ".join(mirrors.fedora_repositories)} if mirrors.fedora_repositories else {}
    if mirrors.debian_primary is None:
        return {}
    return {"PRIMARY": mirrors.debian_primary, "SECURITY": mirrors.debian_security or ""}
