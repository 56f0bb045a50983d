"""What the environment asks of every guest: accounts, proxies, certificate authorities, package mirrors."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cloudinit.constants import PROGRAMS, SETTINGS
from cloudinit.families import FACTS, Family
from cloudinit.guest_files import GuestFile, program, shell_settings


@dataclass(frozen=True, slots=True, kw_only=True)
class SshAccess:
    """The user that may log in, and its keys."""

    user: str
    authorized_keys: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """The proxies that guests download packages through.

    Attributes:
        http: URL of the proxy for http.
        https: URL of the proxy for https.
        no_proxy: Hosts, domains and networks to reach directly.
    """

    http: str | None = None
    https: str | None = None
    no_proxy: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Package sources that replace the distribution's own.

    Attributes:
        debian_primary: URL of Debian's or Ubuntu's main archive.
        debian_security: URL of the security archive.
        fedora_repositories: Base URLs of dnf repositories.
        k6: URL that k6's releases are below.
    """

    debian_primary: str | None = None
    debian_security: str | None = None
    fedora_repositories: tuple[str, ...] = ()
    k6: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """An environment; the default asks for nothing.

    Attributes:
        ssh: Who may log in; None: nobody.
        proxy: The proxies.
        mirrors: The package mirrors.
        certificate_authorities: Certificates to trust besides the distribution's, each as PEM.
        cluster_domain: DNS domain of the cluster, below which its Services have their names.
    """

    ssh: SshAccess | None = None
    proxy: Proxy = Proxy()
    mirrors: Mirrors = Mirrors()
    certificate_authorities: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"


ANYWHERE = Site()
# cloud-init writes the package manager's sources in its stage "config", which may not have ended.
_AWAIT_CLOUD_CONFIG = "-/usr/bin/systemctl start cloud-config.service"


def site_keys(site: Site) -> Mapping[str, Any]:
    """Return the cloud-config keys that create the accounts."""
    if site.ssh is None:
        return {}
    user = {
        "name": site.ssh.user,
        "shell": "/bin/bash",
        "sudo": "ALL=(ALL) NOPASSWD:ALL",
        "lock_passwd": True,
        "ssh_authorized_keys": list(site.ssh.authorized_keys),
    }
    # Without "default" in the list, the image's own user is not created.
    return {"users": [user], "ssh_pwauth": False, "disable_root": True}


def site_files(site: Site, family: Family) -> list[GuestFile]:
    """Return the files that configure the environment in guests of a family."""
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


def site_commands(site: Site, family: Family) -> list[str]:
    """Return the commands to run before packages are installed, as a unit's ExecStart= takes them."""
    # May fail: an image without the program gets it later with a package, which then runs it.
    trust = [f"-{FACTS[family].update_trust}"] if site.certificate_authorities else []
    mirror = [_AWAIT_CLOUD_CONFIG, f"{PROGRAMS}/virtwork-package-mirror"] if _mirror(site.mirrors, family) else []
    return [*trust, *mirror]


def _downloads(site: Site) -> dict[str, str]:
    """Return the settings of our scripts' downloads, by the names that apt, dnf and curl read from the environment."""
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
