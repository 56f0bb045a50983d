"""First boots of a plain Debian image, with systemd, cloud-init and apt."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cloudinit import Mirrors, Proxy, Site
from lab.config import Lab
from lab.toolchain.image import PLAIN, ensure
from tests.guest.booted_guest import BootedGuest, booted_guest
from tests.guest.guest_root import guest_root
from tests.guest.mirror import PORT, mirror
from tests.own_lab import PROGRESS
from tests.unit.cloudinit.guest_examples import database, load_machine

SITE = Site(proxy=Proxy(http=f"http://127.0.0.1:{PORT}"))
CONFIGURE = "virtwork-configure.service"
SETUP = "virtwork-database-setup.service"
LAST_STAGE = "cloud-final.service"


@pytest.fixture(scope="module")
def plain_image(installed_lab: Lab) -> Path:
    """A Debian cloud image without the tiers' packages."""
    return ensure(installed_lab, PLAIN, PROGRESS)


@pytest.fixture(scope="module")
def repeated(plain_image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BootedGuest]:
    """A guest that found no mirror twice."""
    place = tmp_path_factory.mktemp("repeated")
    with (
        booted_guest(plain_image, place, load_machine(site=SITE)) as guest,
        mirror(guest.network_namespace) as packages,
    ):
        packages.away = True
        guest.wait("it waits the second time", lambda: f"{CONFIGURE} has failed; attempt 3 " in guest.console, 120)
        assert packages.refused
        packages.away = False
        guest.wait("it works", lambda: guest.property_of(CONFIGURE, "ActiveState") == "active", 120)
        yield guest


def test_a_first_boot_without_a_mirror_is_repeated_until_it_works(repeated: BootedGuest) -> None:
    installed = repeated.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "qemu-guest-agent")
    assert installed == "installed"
    assert repeated.run("systemctl", "is-enabled", CONFIGURE, check=False).strip() == "disabled"
    assert repeated.run("sh", "-c", "ls /usr/sbin/policy-rc.d 2>/dev/null || echo none").strip() == "none"
    said = repeated.console
    assert said.count("FAILED to install qemu-guest-agent: is a package mirror reachable from this guest?") == 2
    assert "attempt 2 starts in 4 s" in said
    assert "attempt 3 starts in 8 s" in said
    assert "attempt 4" not in said


def test_the_distributions_maintenance_is_off(repeated: BootedGuest) -> None:
    for timer in ("apt-daily.timer", "dpkg-db-backup.timer", "man-db.timer"):
        assert repeated.property_of(timer, "UnitFileState") == "masked"
        assert repeated.property_of(timer, "ActiveState") == "inactive"
    assert repeated.run("systemctl", "list-units", "--state=failed", "--no-legend", "--plain") == ""


def test_systemd_feeds_a_watchdog_if_there_is_one(repeated: BootedGuest) -> None:
    assert repeated.run("systemctl", "show", "--property=RuntimeWatchdogUSec", "--value").strip() == "2min"


def test_names_of_the_cluster_resolve_where_systemd_takes_local_for_mdns(
    repeated: BootedGuest, installed_lab: Lab, tmp_path: Path
) -> None:
    guest, names = repeated, ("kubernetes.default.svc.cluster.local", "www.example.org")
    guest.run("virtwork-install-packages", "systemd-resolved", "libnss-resolve")
    guest.write(
        "/etc/systemd/network/10-eth0.network", "[Match]\nName=eth0\n[Network]\nAddress=10.9.9.2/24\nDNS=10.9.9.2\n"
    )
    guest.run("sh", "-euc", "ip link add eth0 type veth peer name peer; ip link set peer up; ip link set eth0 up")
    guest.run("systemctl", "start", "systemd-networkd", "systemd-resolved")
    guest.wait("eth0 has its address", lambda: "10.9.9.2" in guest.run("ip", "-brief", "address", "show", "eth0"))
    hosts = "".join(f"  10.1.1.1 {name}\n" for name in names)
    (tmp_path / "Corefile").write_text(f".:53 {{\n bind 10.9.9.2\n hosts {{\n{hosts} }}\n}}\n")
    inside = ["nsenter", f"--net={guest.network_namespace}", "--"]
    server = [*inside, str(installed_lab.binaries / "coredns"), f"--conf={tmp_path / 'Corefile'}"]
    with subprocess.Popen(server, stdout=subprocess.DEVNULL) as dns:
        try:
            guest.wait("the DNS server answers", lambda: resolved(guest, names[1]))
            assert not resolved(guest, names[0]), "this guest doesn't need what is tested"
            guest.run("virtwork-prepare")
            guest.wait("both resolve", lambda: all(resolved(guest, name) for name in names), 10)
        finally:
            dns.kill()


def resolved(guest: BootedGuest, name: str) -> bool:
    return "10.1.1.1" in guest.run("getent", "hosts", name, check=False)


def test_a_killed_installation_is_completed(image: Path, tmp_path: Path) -> None:
    with guest_root(image, tmp_path) as guest:
        guest.write_files(load_machine())
        # What dpkg leaves that was killed after it had unpacked a package.
        guest.run(
            "sh", "-euc", "sed -i '/^Package: logrotate$/,/^$/s/ ok installed$/ ok unpacked/' /var/lib/dpkg/status"
        )
        assert "unpacked" in guest.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "logrotate")
        guest.run("virtwork-install-packages", "logrotate", check=False)
        assert guest.run("dpkg-query", "--show", "--showformat=${db:Status-Status}", "logrotate") == "installed"


def test_the_setup_of_the_database_is_repeated_until_its_disk_is_there(image: Path, tmp_path: Path) -> None:
    # Any mount passes for its disk.
    any_disk = {"mountpoint": 'case $1 in --quiet) exec /usr/bin/mountpoint "$@" ;; *) echo 7:0 ;; esac'}
    with booted_guest(image, tmp_path, database(scale=1), any_disk) as guest:
        guest.wait("it waits", lambda: f"{SETUP} has failed; attempt 2 starts in 4 s" in guest.console)
        assert guest.property_of(CONFIGURE, "ActiveState") == "active", "the setup alone is repeated"
        guest.run("mount", "-t", "tmpfs", "tmpfs", "/srv/database")
        server = "postgresql@15-data.service"
        guest.wait("the server runs", lambda: guest.property_of(server, "ActiveState") == "active")
        assert "the data disk /dev/disk/by-id/virtio-database is not mounted" in guest.console
        assert guest.run("ss", "--listening", "--numeric", "--no-header", "sport = 5432")


def test_a_guest_is_configured_before_cloud_init_has_ended(image: Path, tmp_path: Path) -> None:
    with booted_guest(image, tmp_path, load_machine()) as guest:
        guest.wait("cloud-init has ended", lambda: guest.property_of(LAST_STAGE, "ActiveState") == "active")
        began = [int(guest.property_of(unit, "InactiveExitTimestampMonotonic")) for unit in (CONFIGURE, LAST_STAGE)]
        assert began == sorted(began)
        assert guest.property_of(CONFIGURE, "ActiveState") == "active"
        assert guest.run("systemctl", "is-enabled", CONFIGURE, check=False).strip() == "disabled", "it ran once"
        assert guest.run("systemctl", "list-units", "--state=failed", "--no-legend", "--plain") == ""


def test_the_mirror_is_in_force_after_cloud_init_has_written_its_own_sources(image: Path, tmp_path: Path) -> None:
    site = Site(mirrors=Mirrors(debian_primary="http://mirror.example/debian"))
    with booted_guest(image, tmp_path, load_machine(site=site)) as guest:
        guest.wait("cloud-init has ended", lambda: guest.property_of(LAST_STAGE, "ActiveState") == "active")
        guest.wait("it works", lambda: guest.property_of(CONFIGURE, "ActiveState") == "active")
        assert guest.run("head", "--lines=1", "/etc/apt/sources.list") == "# Written by virtwork-package-mirror.\n"


def test_a_guest_that_cant_be_configured_early_is_by_cloud_inits_last_command(image: Path, tmp_path: Path) -> None:
    with booted_guest(image, tmp_path, load_machine(), {"systemd-run": "exit 1"}) as guest:
        guest.wait("it works", lambda: guest.property_of(CONFIGURE, "ActiveState") == "active")


def test_an_image_whose_python_is_too_old_is_refused_once(image: Path, tmp_path: Path) -> None:
    old = 'case $* in --version) echo Python 3.9.2 ;; *version_info*) exit 1 ;; *) exec /usr/bin/python3 "$@" ;; esac'
    with booted_guest(image, tmp_path, load_machine(), {"python3": old}) as guest:
        guest.wait("it is refused", lambda: guest.property_of(CONFIGURE, "ActiveState") == "failed")
        time.sleep(2)  # for a restart
        assert guest.property_of(CONFIGURE, "NRestarts") == "0"
        assert guest.console.count("REFUSED: this image has Python 3.9.2, and this tier needs 3.11 or later") == 1
