"""The engine's steps become one change an object, with what it loses and what stays."""

from __future__ import annotations

from typing import Any

import pytest

from preview.changes import Change, Verdict, changes
from preview.consequences import consequences
from preview.differences import SECRET, Difference
from tests.unit.preview.engine_steps import DATA, DATABASE, IMAGE, machine, manifest, replacement, step

DISK = manifest("DataVolume", "multi-tier-database-0-data", spec={"storage": {"size": "2Gi"}})


def losses(*steps: dict[str, Any]) -> list[str]:
    found = changes(steps)
    return [sentence for change in found for sentence in consequences(change, found)]


def only(*steps: dict[str, Any]) -> Change:
    (found,) = changes(steps)
    return found


def test_what_stays_as_it_is_and_what_groups_objects_is_no_change() -> None:
    component = step("create", None, manifest("Database", "database"), custom=False)
    provider = step("create", None, {"version": "4.25.0"}, type="pulumi:providers:kubernetes")
    assert changes([step("same", DATABASE, DATABASE), component, provider]) == []


@pytest.mark.parametrize(
    ("op", "verdict"),
    [("create", Verdict.CREATED), ("update", Verdict.CHANGED), ("delete", Verdict.DELETED)],
)
def test_a_step_is_a_verdict(op: str, verdict: Verdict) -> None:
    old, new = None if op == "create" else DATABASE, None if op == "delete" else DATABASE
    found = only(step(op, old, new))
    assert (found.verdict, found.kind, found.name) == (verdict, "VirtualMachine", "multi-tier-database-0")


def test_a_replacement_of_three_steps_is_one_change_with_its_properties() -> None:
    larger = machine("multi-tier-database-0", IMAGE, DATA, memory="4Gi")
    found = only(*replacement(DATABASE, larger, "spec.template.spec.domain.memory.guest"))
    assert found.verdict is Verdict.REPLACED
    assert found.differences == (Difference("spec.template.spec.domain.memory.guest", "2Gi", "4Gi"),)


def test_a_secret_that_changed_shows_that_and_nothing_else() -> None:
    secret = manifest("Secret", "multi-tier-database-0-cloud-init", stringData=SECRET)
    found = only(step("update", secret, secret, "stringData.userdata"))
    assert found.differences == (Difference("data.userdata", SECRET, SECRET),)
    plain = [manifest("Secret", "a", stringData={"password": word}) for word in ("former", "latter")]
    assert "former" not in str(only(step("update", plain[0], plain[1], "stringData.password")))


def test_a_replaced_machine_loses_its_root_disk_and_keeps_its_data_disk() -> None:
    assert losses(*replacement(DATABASE, DATABASE)) == [
        "why: its user data changed, and cloud-init reads it on a machine's first start only",
        "**lost**: what was written to the root disk (containerDisk)",
        "stays: the data disk, DataVolume `multi-tier-database-0-data`, with all that is on it",
        "it doesn't serve from when the old machine stops until the new one is ready",
    ]


def test_a_clone_goes_with_its_machine() -> None:
    clone = {"name": "root", "dataVolume": {"name": "multi-tier-web-0-root"}}
    web = machine("multi-tier-web-0", clone, dataVolumeTemplates=[{"metadata": {"name": "multi-tier-web-0-root"}}])
    assert losses(step("delete", web, None)) == [
        "**lost**: the root disk, DataVolume `multi-tier-web-0-root`, a clone that goes with the machine"
    ]


def test_a_data_disk_that_goes_too_is_lost_with_all_that_is_on_it() -> None:
    said = losses(*replacement(DATABASE, DATABASE), step("delete", DISK, None))
    assert "**lost**: the data disk, DataVolume `multi-tier-database-0-data`, which goes too" in said
    assert "**lost**: everything on this disk" in said


def test_a_disk_that_is_retained_stays() -> None:
    said = losses(step("delete", DATABASE, None), step("delete", DISK, None, retainOnDelete=True))
    assert "stays: the data disk, DataVolume `multi-tier-database-0-data`, with all that is on it" in said
    assert "stays in the cluster, and is the stack's no longer" in said


def test_a_namespace_is_lost_with_everything_in_it_and_a_password_with_its_machines() -> None:
    namespace = manifest("Namespace", "multi-tier")
    password = {"length": 32}
    said = losses(step("delete", namespace, None), *replacement(password, {"length": 40}, "length"))
    assert said == [
        "**lost**: everything in this namespace",
        "another password: each machine that has it in its user data is replaced",
    ]


def test_a_data_volume_whose_spec_changes_is_one_that_cdi_refuses() -> None:
    larger = manifest("DataVolume", "multi-tier-database-0-data", spec={"storage": {"size": "4Gi"}})
    (said,) = losses(step("update", DISK, larger, "spec.storage.size"))
    assert "CDI refuses" in said


def test_a_renamed_disk_is_a_new_one_and_the_machines_former_one_is_lost() -> None:
    renamed = manifest("DataVolume", "another-database-0-data", spec={"storage": {"size": "2Gi"}})
    steps = [step("replace", DISK, renamed, "metadata.name")]
    assert "**lost**: the data disk, DataVolume `multi-tier-database-0-data`, which goes too" in losses(
        *steps, *replacement(DATABASE, machine("another-database-0", IMAGE))
    )
