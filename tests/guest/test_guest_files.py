"""Scripts and units of the guests, checked by the image's own programs."""

from __future__ import annotations

import json

import pytest

from cloudinit import Family, packages
from tests.guest.guest_root import GuestRoot
from tests.unit.cloudinit.guest_examples import (
    EVERY_GUEST,
    HOSTILE,
    WITH_METRICS,
    application,
    database,
    parse,
    web_with_load,
)

# What cloud-init does with user data in a first boot, up to the files; prints those that differ from what is expected.
WRITE_FILES = """
import json, os, sys
from cloudinit import handlers, helpers, user_data
documents = json.load(open("/opt/test/documents.json"))
sys.path.insert(0, "/opt/test/handlers")
os.makedirs(sys.path[0], exist_ok=True)
for document, files in documents:
    message = user_data.UserDataProcessor(helpers.Paths({})).process(document.encode())
    data = {"handlers": helpers.ContentHandlers(), "handlerdir": sys.path[0], "data": None, "excluded": [],
            "frequency": "once-per-instance", "handlercount": 0}
    handlers.walk(message, handlers.walker_callback, data=data)
    for file in files:
        with open(file["path"], newline="", encoding="utf-8") as written:
            found = (written.read(), f"{os.stat(file['path']).st_mode & 0o777:04o}")
        if found != (file["content"], file["permissions"]):
            print(file, found)
        os.remove(file["path"])
"""


def test_cloud_init_writes_every_file_as_it_was_given(guest: GuestRoot) -> None:
    documents = [render(family) for render in (*WITH_METRICS.values(), *EVERY_GUEST.values()) for family in Family]
    documents += [application(token=value) for value in HOSTILE.values()]
    guest.write("/opt/test/documents.json", json.dumps([(text, parse(text)["write_files"]) for text in documents]))
    assert guest.run("python3", "-c", WRITE_FILES) == ""


@pytest.mark.parametrize("family", Family)
def test_systemd_accepts_every_unit(guest: GuestRoot, family: Family) -> None:
    if family is Family.FEDORA:
        # The path at which Fedora's packages install it.
        guest.run("sh", "-c", "test -e /usr/bin/node_exporter || ln -s /bin/true /usr/bin/node_exporter")
    for render in (*WITH_METRICS.values(), *EVERY_GUEST.values()):
        guest.write_files(render(family))
    said = guest.run("sh", "-c", "systemd-analyze verify --man=no /etc/systemd/system/virtwork-*", check=False)
    assert "virtwork" not in said, said


@pytest.mark.parametrize(("version", "grow"), [("systemd 252 (252.39-1~deb12u1)", False), ("systemd 257", True)])
def test_pauses_between_restarts_grow_where_systemd_can(guest: GuestRoot, version: str, *, grow: bool) -> None:
    guest.write_files(database())
    guest.write("/opt/test/version/systemctl", f"#!/bin/sh\necho '{version}'\n", 0o755)
    guest.run("env", "PATH=/opt/test/version:/usr/bin", "/usr/local/sbin/virtwork-restart-pauses")
    said = guest.run(
        "sh", "-c", "cd /etc/systemd/system && cat virtwork-.service.d/* 2>/dev/null; rm -rf virtwork-.service.d"
    )
    assert ("RestartMaxDelaySec=5" in said) == grow


def test_the_image_has_every_package_and_the_script_installs_nothing(guest: GuestRoot) -> None:
    guest.write_files(database())
    assert guest.run("virtwork-install-packages", *packages(Family.DEBIAN)) == ""


def without_network(guest: GuestRoot, script: str) -> str:
    """Return a script's output without a network and without its waits."""
    guest.write("/opt/test/stubs/virtwork-pause", "#!/bin/sh\n", 0o755)
    for name in ("apt-get", "curl"):
        guest.write(f"/opt/test/stubs/{name}", "#!/bin/sh\necho network is unreachable >&2\nexit 6\n", 0o755)
    return guest.run("env", "PATH=/opt/test/stubs:/usr/sbin:/usr/bin", "sh", "-euc", f"({script}) || true")


def test_without_a_mirror_the_package_script_names_the_missing_package(guest: GuestRoot) -> None:
    guest.write_files(database())
    said = without_network(guest, "/usr/local/sbin/virtwork-install-packages postgresql no-such-package")
    assert "installing missing packages: no-such-package\n" in said
    assert "FAILED to install no-such-package: is a package mirror reachable" in said
    assert "absent" in guest.run("sh", "-c", "ls /usr/sbin/policy-rc.d 2>/dev/null || echo absent")


@pytest.mark.parametrize(
    ("family", "programs", "status", "said"),
    [
        (Family.DEBIAN, {}, 78, "REFUSED: this image has no apt. Set <tier>.family to that of its distribution."),
        (Family.FEDORA, {}, 78, "REFUSED: this image has no dnf. Set <tier>.family to that of its distribution."),
        (Family.FEDORA, {"dnf": "exit 1", "rpm": "exit 1"}, 1, "dnf has no repositories. Register the image"),
        (Family.FEDORA, {"dnf": "echo fedora; exit 1", "rpm": "exit 1"}, 1, "is a package mirror reachable"),
    ],
)
def test_an_image_that_cant_install_packages_says_why(
    guest: GuestRoot, family: Family, programs: dict[str, str], status: int, said: str
) -> None:
    guest.write_files(database(family))
    guest.run("rm", "-rf", "/opt/test/only")
    for name, script in programs.items():
        guest.write(f"/opt/test/only/{name}", f"#!/bin/sh\n{script}\n", 0o755)
    script = "PATH=/opt/test/only; . /usr/local/sbin/virtwork-install-packages"
    output = guest.run("sh", "-c", f"({script}); echo status $?", "sh", "postgresql-server")
    assert said in output
    assert output.endswith(f"status {status}\n")


def test_without_a_network_the_k6_script_says_that_it_failed(guest: GuestRoot) -> None:
    guest.write_files(web_with_load())
    guest.run("sh", "-c", "mv /usr/local/bin/k6 /usr/local/bin/k6.away 2>/dev/null || true")
    said = without_network(guest, "/usr/local/sbin/virtwork-install-k6")
    guest.run("sh", "-c", "mv /usr/local/bin/k6.away /usr/local/bin/k6 2>/dev/null || true")
    assert "FAILED to install k6 v2.1.0" in said
    assert "could not be downloaded" in said


def test_the_database_is_not_set_up_without_its_data_disk(guest: GuestRoot) -> None:
    guest.write_files(database())
    before = guest.run("find", "/srv")
    said = guest.run("virtwork-database-setup", check=False)
    assert "FAILED: the data disk /dev/disk/by-id/virtio-database is not mounted on /srv/database" in said
    assert guest.run("find", "/srv") == before, "something was written to the root disk"
