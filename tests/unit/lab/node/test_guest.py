import json
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest

from lab.config import Lab
from lab.node import cleanup, consoles, guest, record, seed
from lab.node.record import Record
from lab.node.specification import GuestSpecification

UID = "498ce2db-2448-4af1-b3bd-c0eadee685a1"
SPECIFICATION = GuestSpecification(
    namespace="shop",
    name="shop-web-0",
    uid=UID,
    hostname="web",
    instance_id="0580de29-12b4-4063-94df-90087b458521",
    image="image",
    memory=1 << 29,
    cpus=1,
    user_data=b"#cloud-config\npassword: secret\n",
    network_data=None,
    disks=(),
)


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path, IPv4Network("10.96.0.0/16"))


def a_record(uid: str = UID, **fields: object) -> Record:
    known = {"namespace": "shop", "name": "shop-web-0", "uid": uid, "address": IPv4Address("10.96.128.1"), **fields}
    return Record(**known)  # type: ignore[arg-type]


@pytest.fixture
def upper(tmp_path: Path) -> Path:
    seed.write(tmp_path / "upper", SPECIFICATION)
    return tmp_path / "upper"


def test_only_root_can_read_cloud_init_data_and_everyone_the_rest_of_the_root(upper: Path) -> None:
    user_data = upper / "var/lib/cloud/seed/nocloud/user-data"
    assert user_data.read_bytes() == SPECIFICATION.user_data
    assert user_data.stat().st_mode & 0o777 == 0o600
    assert user_data.parent.stat().st_mode & 0o777 == 0o700
    for shared in (upper, upper / "etc", upper / "var/lib", upper / "etc/cloud/cloud.cfg.d"):
        assert shared.stat().st_mode & 0o777 == 0o755, "an overlay shows the mode of the upper layer's directory"


def test_a_guest_has_its_identity_before_its_first_boot(upper: Path) -> None:
    metadata = json.loads((upper / "var/lib/cloud/seed/nocloud/meta-data").read_text())
    assert metadata == {"instance-id": SPECIFICATION.instance_id, "local-hostname": "web"}
    assert (upper / "etc/machine-id").read_text() == "0580de2912b4406394df90087b458521\n"
    assert (upper / "etc/resolv.conf").read_text() == "nameserver 169.254.1.1\n", "no search list, as on KubeVirt"


def test_a_record_is_private_and_survives_a_round_trip(lab: Lab) -> None:
    written = a_record(files=(Path("/disks/a.raw"),), command=("systemd-nspawn", "--boot"), pid=7, start_time=9)
    record.save(lab, written)
    assert record.load(lab, UID) == written
    assert record.directory(lab, UID).stat().st_mode & 0o077 == 0
    assert (record.directory(lab, UID) / "guest.json").stat().st_mode & 0o077 == 0


def test_a_corrupt_record_counts_as_missing(lab: Lab) -> None:
    record.save(lab, a_record())
    (record.directory(lab, UID) / "guest.json").write_text("{")
    assert record.load(lab, UID) is None
    assert record.uids(lab) == [UID], "its remains are still found and removed"


def test_a_process_that_reuses_the_pid_is_not_adopted(lab: Lab) -> None:
    assert guest.adopt(lab, a_record(pid=1, start_time=-1, boot=record.this_boot())) is None
    assert guest.adopt(lab, a_record(pid=1, start_time=0, boot="an earlier one")) is None


def test_a_long_console_is_trimmed_to_its_end_while_its_writer_appends(tmp_path: Path) -> None:
    log = tmp_path / "console.log"
    with log.open("ab") as writer:
        writer.write(b"a" * 900 + b"b" * 100)
        writer.flush()
        consoles.trim(log, limit=500, kept=100)
        writer.write(b"c")
    assert log.read_bytes() == b"b" * 100 + b"c"


def test_the_last_failed_guests_of_a_vm_are_kept_until_the_vm_is_gone(lab: Lab) -> None:
    for number in range(5):
        record.save(lab, a_record(uid=f"guest-{number}", started=float(number), ended=float(number)))
    record.save(lab, a_record(uid="running", started=9.0))
    consoles.keep(lab, lambda *_: True)
    assert record.uids(lab) == ["guest-2", "guest-3", "guest-4", "running"]
    consoles.keep(lab, lambda *_: False)
    assert record.uids(lab) == ["running"]


def test_console_and_record_of_a_failed_guest_are_kept(lab: Lab) -> None:
    record.save(lab, a_record())
    place = record.directory(lab, UID)
    seed.write(place / "upper", SPECIFICATION)
    (place / cleanup.CONSOLE).write_text("the end")
    cleanup.remove_files(lab, UID, keep_console=True)
    assert {path.name for path in place.iterdir()} == {"guest.json", cleanup.CONSOLE}
    cleanup.remove_files(lab, UID)
    assert not place.exists()
