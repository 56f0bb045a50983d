"""The web guest's services, booted under the confinement of their units."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.booted_guest import BootedGuest, booted_guest
from tests.unit.cloudinit.guest_examples import web

LOG = "/var/log/nginx/access.json"


@pytest.fixture(scope="module")
def booted(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedGuest]:
    with booted_guest(image, tmp_path_factory.mktemp("web"), web()) as guest:
        guest.wait("nginx responds", lambda: alive(guest))
        yield guest


def alive(guest: BootedGuest) -> bool:
    return '"alive"' in guest.run("curl", "--silent", "http://127.0.0.1/health", check=False)


def test_nginx_is_told_of_the_application_when_its_name_resolves(booted: BootedGuest) -> None:
    settings = booted.read("/etc/virtwork/upstream.settings")
    host = settings.partition("APPLICATION_HOST=")[2].splitlines()[0]
    workers = booted.run("pgrep", "-f", "nginx: [w]orker")
    booted.run("sh", "-c", f"echo 127.0.0.9 {host} >>/etc/hosts")
    booted.wait("the address is known", lambda: "127.0.0.9:" in booted.read("/etc/nginx/virtwork/upstream.conf"))
    booted.wait("nginx is ready", lambda: '"ready"' in booted.run("curl", "--silent", "http://127.0.0.1/ready"))
    assert booted.run("pgrep", "-f", "nginx: [w]orker") != workers, "reloaded"
    assert booted.property_of("nginx.service", "NRestarts") == "0"


def test_nginx_goes_on_with_new_log_files(booted: BootedGuest) -> None:
    booted.run("sh", "-c", f"head -c 9000000 /dev/zero >>{LOG}")
    booted.run("systemctl", "start", "virtwork-logrotate.service")
    assert booted.run("sh", "-c", f"stat --format=%s {LOG}.1").strip() >= "9000000"
    booted.run("curl", "--silent", "http://127.0.0.1/nowhere")
    booted.wait("the new file has the request", lambda: "/nowhere" in booted.read(LOG), 5)


def test_nginx_is_restarted_and_stops_cleanly(booted: BootedGuest) -> None:
    booted.run("systemctl", "kill", "--signal=KILL", "nginx.service")
    booted.wait("it is back", lambda: alive(booted), 10)
    booted.run("systemctl", "restart", "nginx.service")
    booted.wait("it is back", lambda: alive(booted), 10)
    said = booted.run("journalctl", "--unit=nginx.service", "--unit=virtwork-upstream.service", "--no-pager")
    assert "ermission denied" not in said
    assert "not permitted" not in said


def test_no_unit_has_failed(booted: BootedGuest) -> None:
    assert booted.run("systemctl", "list-units", "--state=failed", "--no-legend", "--plain") == ""
