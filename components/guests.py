"""What the settings say to every guest: its environment, and where it sends traces."""

from __future__ import annotations

from cloudinit import Mirrors, Proxy, Site, SshAccess, TracingTarget
from components.settings import Settings


def site(settings: Settings) -> Site:
    """Return the environment of the guests."""
    ssh, proxy, mirror = settings.ssh, settings.proxy, settings.package_mirror
    keys = tuple(key.strip() for key in ssh.authorized_keys)
    return Site(
        ssh=SshAccess(user=ssh.user, authorized_keys=keys) if ssh.user else None,
        proxy=Proxy(http=proxy.http, https=proxy.https, no_proxy=tuple(proxy.no_proxy)),
        mirrors=Mirrors(
            debian_primary=mirror.debian.primary,
            debian_security=mirror.debian.security,
            fedora_repositories=tuple(mirror.fedora.repositories),
            k6=mirror.k6 and mirror.k6.rstrip("/"),
        ),
        cluster_domain=settings.cluster_domain,
        certificate_authorities=tuple(f"{pem.strip()}\n" for pem in settings.certificate_authorities),
    )


def tracing_target(settings: Settings, service_name: str) -> TracingTarget | None:
    """Return where the guests behind a Service send their spans; None without tracing."""
    endpoint = settings.tracing.endpoint
    return TracingTarget(endpoint=endpoint, service_name=service_name) if endpoint else None
