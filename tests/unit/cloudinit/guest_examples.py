"""An example of every guest, and values that break wrong quoting."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import yaml

from cloudinit import (
    ANYWHERE,
    ApiAccess,
    ApplicationGuest,
    DatabaseGuest,
    Family,
    FaultObjects,
    LoadGuest,
    LoadMachineGuest,
    Mirrors,
    Proxy,
    Site,
    SshAccess,
    TracingTarget,
    WebGuest,
    render_application,
    render_database,
    render_load,
    render_web,
)

DOMAIN = "multi-tier.svc.cluster.local"
TOKEN = "a-token"
COLLECTOR = "http://collector:4318"
CERTIFICATE_AUTHORITY = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

# The private key of each was discarded.
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIDNegsuFQumazqLxepE1qA1i24eczc8ij42hLhHT4H/c ann@example"
AUTHORITY = """\
-----BEGIN CERTIFICATE-----
MIIBjzCCATWgAwIBAgIUcmi47TBNTjtYR4qVNYMwn6mA6t4wCgYIKoZIzj0EAwIw
HDEaMBgGA1UEAwwRRXhhbXBsZSBBdXRob3JpdHkwIBcNMjYxMTIxMTYwNTUwWhgP
MjEyNjEwMjgxNjA1NTBaMBwxGjAYBgNVBAMMEUV4YW1wbGUgQXV0aG9yaXR5MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEGvXQgxgipCLltPFd/9RmNj7ioNrQfoDt
XzDHJkRU+cY3hiBozA5xX3rrN+bh8VeeYqalgZ4OS4FT4j4mRShBI6NTMFEwHQYD
VR0OBBYEFATDNdSf5/TdUK/g8m/AIbDWPoW2MB8GA1UdIwQYMBaAFATDNdSf5/Td
UK/g8m/AIbDWPoW2MA8GA1UdEwEB/wQFMAMBAf8wCgYIKoZIzj0EAwIDSAAwRQIg
EmUCh6e2rhytDkqX1BMT74dzL0gcAQKvQ9H+kQC4ik4CIQDHFWjVE2iDJkS6wEZ+
8qQMp7E0KfqAnLNBaZjgam1mMA==
-----END CERTIFICATE-----
"""
SITE = Site(
    ssh=SshAccess(user="ann", authorized_keys=(PUBLIC_KEY,)),
    proxy=Proxy(
        http="http://proxy.example:3128", https="http://proxy.example:3128", no_proxy=(".example", "10.0.0.0/8")
    ),
    mirrors=Mirrors(
        debian_primary="http://mirror.example/debian",
        debian_security="http://mirror.example/debian-security",
        fedora_repositories=(
            "http://mirror.example/fedora/$releasever/$basearch/os/",
            "http://mirror.example/updates/$releasever/$basearch/",
        ),
        k6="http://mirror.example/k6",
    ),
    certificate_authorities=(AUTHORITY,),
)

HOSTILE = {
    "quotes": "a'b\"c`d",
    "yaml": "a: b # c\n- d: {e}",
    "jinja": "{{ password }} {% raw %}",
    "shell": "$HOME $(id) `id` ; rm -rf / & \\",
    "sql": "'; DROP TABLE pgbench_accounts; --",
    "newlines": "first\nsecond\r\n\n third",
    "trailing newline": "secret\n",
    "leading spaces": "  two\n one",
    "percent": "%(device)s %s %%",
    "unicode": "pässwörd ☃ \u2028 \u0085 \ufeff",
    "control": "tab\tbell\x07escape\x1b",
    "yaml words": "null",
    "document": "--- !!python/object:os.system\n...",
}


FAULTS = FaultObjects(plan="multi-tier-faults", reports="multi-tier-fault-reports")


def cloud_config(user_data: str) -> str:
    """Return the cloud-config in user data; libyaml is ten times faster than `yaml.safe_load`."""
    text: str = yaml.load(user_data, yaml.CSafeLoader)[0]["content"]
    return text


def parse(user_data: str) -> dict[str, Any]:
    """Return user data's cloud-config as cloud-init reads it, with the files beside it below `write_files`."""
    config, _, *files = yaml.load(user_data, yaml.CSafeLoader)
    document: dict[str, Any] = yaml.load(config["content"], yaml.CSafeLoader)
    document["write_files"] = [
        {"path": file["filename"], "permissions": file["type"][-4:], "content": file["content"]} for file in files
    ]
    return document


def document(user_data: str) -> dict[str, Any]:
    """Return a cloud-config with its files by path."""
    found = parse(user_data)
    return found | {"write_files": {file["path"]: file["content"] for file in found["write_files"]}}


def commands(user_data: str, unit: str = "virtwork-configure") -> list[str]:
    """Return the commands that a unit runs, in order."""
    text = document(user_data)["write_files"][f"/etc/systemd/system/{unit}.service"]
    return [line.removeprefix("ExecStart=") for line in text.splitlines() if line.startswith("ExecStart=")]


def installed(user_data: str) -> list[str]:
    """Return the packages that a guest installs."""
    (found,) = (command for command in commands(user_data) if "install-packages" in command)
    return found.split()[1:]


def api_access(token: str = TOKEN) -> ApiAccess:
    return ApiAccess(
        server="https://kubernetes.default.svc.cluster.local",
        namespace="multi-tier",
        token=token,
        certificate_authority=CERTIFICATE_AUTHORITY,
    )


def database(
    family: Family = Family.DEBIAN,
    scale: int = 10,
    token: str = TOKEN,
    hosts: tuple[str, ...] = (f"multi-tier-database.{DOMAIN}", "multi-tier-database"),
    *,
    tls: bool = True,
    metrics: bool = False,
    fio_seconds: int = 0,
    allow_data_loss: bool = False,
) -> str:
    return render_database(
        DatabaseGuest(
            family=family,
            api=api_access(token),
            credentials="multi-tier-credentials",
            certificate="multi-tier-database-certificate" if tls else None,
            hosts=hosts,
            faults=FAULTS,
            scale=scale,
            data_disk_serial="database",
            memory_mib=2048,
            metrics=metrics,
            fio_seconds=fio_seconds,
            allow_data_loss=allow_data_loss,
        )
    )


def application(
    family: Family = Family.DEBIAN,
    database_host: str = f"multi-tier-database.{DOMAIN}",
    token: str = TOKEN,
    *,
    tls: bool = True,
    metrics: bool = False,
    tracing: str | None = None,
) -> str:
    return render_application(
        ApplicationGuest(
            family=family,
            api=api_access(token),
            credentials="multi-tier-credentials",
            certificate="multi-tier-database-certificate" if tls else None,
            faults=FAULTS,
            database_host=database_host,
            metrics=metrics,
            tracing=_tracing("application", tracing),
        )
    )


def load(token: str = TOKEN, *, metrics: bool = False, tracing: str | None = None) -> LoadGuest:
    return LoadGuest(
        metrics=metrics,
        tracing=_tracing("load", tracing),
        target=f"http://multi-tier-web.{DOMAIN}",
        api=api_access(token),
        plan="multi-tier-load",
    )


def web(family: Family = Family.DEBIAN, *, metrics: bool = False, tracing: str | None = None) -> str:
    """A web guest without load: every one but the first."""
    return _web(family, None, metrics=metrics, tracing=tracing)


def web_with_load(
    family: Family = Family.DEBIAN, token: str = TOKEN, *, metrics: bool = False, tracing: str | None = None
) -> str:
    with_load = load(token, metrics=metrics, tracing=tracing)
    return _web(family, with_load, metrics=metrics, tracing=tracing)


def load_machine(
    family: Family = Family.DEBIAN,
    token: str = TOKEN,
    *,
    metrics: bool = False,
    tracing: str | None = None,
    site: Site = ANYWHERE,
) -> str:
    with_load = load(token, metrics=metrics, tracing=tracing)
    return render_load(LoadMachineGuest(family=family, load=with_load, site=site))


def _web(family: Family, with_load: LoadGuest | None, *, metrics: bool = False, tracing: str | None = None) -> str:
    return render_web(
        WebGuest(
            family=family,
            application_host=f"multi-tier-application.{DOMAIN}",
            api=api_access(),
            faults=FAULTS,
            load=with_load,
            metrics=metrics,
            tracing=_tracing("web", tracing),
        )
    )


def _tracing(tier: str, endpoint: str | None) -> TracingTarget | None:
    return TracingTarget(endpoint=endpoint, service_name=f"multi-tier-{tier}") if endpoint else None


EVERY_GUEST: dict[str, Callable[[Family], str]] = {
    "database": database,
    "database-without-tls": partial(database, tls=False),
    "database-measured": partial(database, fio_seconds=10),
    "application": application,
    "application-without-tls": partial(application, tls=False),
    "application-traced": partial(application, tracing=COLLECTOR),
    "web": web,
    "web-traced": partial(web, tracing=COLLECTOR),
    "web-with-load": web_with_load,
    "load": load_machine,
    "load-traced": partial(load_machine, tracing=COLLECTOR),
    "load-in-closed-network": partial(load_machine, site=SITE),
}
WITH_METRICS: dict[str, Callable[[Family], str]] = {
    "database": partial(database, metrics=True),
    "application": partial(application, metrics=True),
    "web": partial(web, metrics=True),
    "load": partial(load_machine, metrics=True),
}
