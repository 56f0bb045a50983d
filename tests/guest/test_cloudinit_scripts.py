"""The guest's own scripts, units and nginx configuration, held against the programs that read them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudinit import Family, packages
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import EVERY_GUEST, WITH_METRICS, database, web, web_with_load


@pytest.mark.parametrize("family", Family)
@pytest.mark.parametrize("render", [web, web_with_load], ids=["without load", "with load"])
def test_nginx_accepts_its_configuration(guest: GuestRoot, render: Callable[[Family], str], family: Family) -> None:
    guest.write_files(render(family))
    guest.run("sh", "-c", "getent passwd nginx || useradd --system nginx")
    guest.run("install", "-D", "/etc/virtwork/upstream-unknown.conf", "/etc/nginx/virtwork/upstream.conf")
    said = guest.run("nginx", "-t", "-c", "/etc/virtwork/nginx.conf")
    assert "test is successful" in said
    assert "warn" not in said


@pytest.mark.parametrize("family", Family)
def test_systemd_accepts_every_unit(guest: GuestRoot, family: Family) -> None:
    if family is Family.FEDORA:
        # Where its packages put what the units run.
        guest.run("sh", "-c", "test -e /usr/bin/node_exporter || ln -s /bin/true /usr/bin/node_exporter")
    for render in (*WITH_METRICS.values(), *EVERY_GUEST.values()):
        guest.write_files(render(family))
    said = guest.run("sh", "-c", "systemd-analyze verify --man=no /etc/systemd/system/virtwork-*", check=False)
    assert "virtwork" not in said, said


def test_the_application_unit_is_hardened_by_systemds_own_measure(guest: GuestRoot) -> None:
    guest.write_files(EVERY_GUEST["application"](Family.DEBIAN))
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=20", "--no-pager"]
    said = guest.run(*command, "/etc/systemd/system/virtwork-app.service")
    assert "Overall exposure level for virtwork-app.service: 1." in said


def test_logrotate_accepts_its_configuration(guest: GuestRoot) -> None:
    guest.write_files(web())
    said = guest.run("logrotate", "--debug", "/etc/virtwork/logrotate.conf")
    assert "error" not in said.replace("error.log", "")


def test_the_golden_image_lacks_no_package_and_the_script_sees_it_at_once(guest: GuestRoot) -> None:
    guest.write_files(database())
    assert guest.run("virtwork-install-packages", *packages(Family.DEBIAN)) == ""


def without_network(guest: GuestRoot, script: str) -> str:
    """What a script says where neither packages nor downloads can be had; the waits between attempts are left out."""
    guest.write("/opt/test/stubs/sleep", "#!/bin/sh\n", 0o755)
    for name in ("apt-get", "curl"):
        guest.write(f"/opt/test/stubs/{name}", "#!/bin/sh\necho network is unreachable >&2\nexit 6\n", 0o755)
    return guest.run("env", "PATH=/opt/test/stubs:/usr/sbin:/usr/bin", "sh", "-euc", f"({script}) || true")


def test_the_package_script_says_what_is_missing_and_that_no_mirror_answered(guest: GuestRoot) -> None:
    guest.write_files(database())
    said = without_network(guest, "/usr/local/sbin/virtwork-install-packages postgresql no-such-package")
    assert "installing missing packages: no-such-package\n" in said
    assert "attempt 5 of 5" in said
    assert "FAILED to install no-such-package: is a package mirror reachable" in said
    assert "absent" in guest.run("sh", "-c", "ls /usr/sbin/policy-rc.d 2>/dev/null || echo absent")


def test_without_k6_and_without_network_the_load_says_so_plainly(guest: GuestRoot) -> None:
    guest.write_files(web_with_load())
    guest.run("sh", "-c", "mv /usr/local/bin/k6 /usr/local/bin/k6.away 2>/dev/null || true")
    said = without_network(guest, "/usr/local/sbin/virtwork-install-k6")
    guest.run("sh", "-c", "mv /usr/local/bin/k6.away /usr/local/bin/k6 2>/dev/null || true")
    assert "FAILED to install k6 v1.8.1" in said
    assert "could not be downloaded" in said


def test_a_data_disk_that_is_not_mounted_stops_the_database_with_clear_words(guest: GuestRoot) -> None:
    guest.write_files(database())
    said = guest.run("virtwork-database-setup", check=False)
    assert "FAILED: the data disk /dev/disk/by-id/virtio-database is not mounted on /srv/database" in said
    assert guest.run("ls", "-A", "/srv") == "", "something was made on the root disk"
