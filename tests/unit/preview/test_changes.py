"""The engine's steps become one change for each object, with its consequences."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from preview.changes import Action, Change, changes, consequences
from preview.differences import Difference
from preview.masking import SECRET
from tests.unit.preview.engine_steps import DATA, DATABASE, IMAGE, machine, manifest, replacement, step

DATA_KEPT = "Data kept: data disk (DataVolume `multi-tier-database-0-data`)"
DISK = manifest("DataVolume", "multi-tier-database-0-data", spec={"storage": {"size": "2Gi"}})


def all_consequences(*steps: dict[str, Any]) -> list[str]:
    found = changes(steps)
    return [text for change in found for text in consequences(change, found)]


def only(*steps: dict[str, Any]) -> Change:
    (found,) = changes(steps)
    return found


def test_unchanged_objects_components_and_providers_are_not_changes() -> None:
    component = step("create", None, manifest("Database", "database"), custom=False)
    provider = step("create", None, {"version": "4.25.0"}, type="pulumi:providers:kubernetes")
    assert changes([step("same", DATABASE, DATABASE), component, provider]) == []


@pytest.mark.parametrize(
    ("op", "action"),
    [
        ("create", Action.CREATED),
        ("update", Action.UPDATED),
        ("delete", Action.DELETED),
        ("import", Action.IMPORTED),
        ("import-replacement", Action.REPLACED),
        ("read-replacement", Action.REPLACED),
        ("read", Action.OTHER),
        ("refresh", Action.OTHER),
        ("discard", Action.OTHER),
        ("discard-replaced", Action.OTHER),
        ("remove-pending-replace", Action.OTHER),
        ("what-a-later-engine-does", Action.OTHER),
    ],
)
def test_a_step_is_one_action(op: str, action: Action) -> None:
    old, new = None if op in ("create", "read", "import") else DATABASE, None if op == "delete" else DATABASE
    found = only(step(op, old, new))
    assert (found.action, found.kind, found.name) == (action, "VirtualMachine", "multi-tier-database-0")


def test_a_step_without_a_state_is_still_a_change() -> None:
    found = only({"op": "delete", "urn": "urn:pulumi:lab::multi-tier::kubernetes:core/v1:Secret::credentials"})
    assert (found.action, found.kind, found.name) == (Action.DELETED, "Secret", "credentials")


def test_an_object_that_is_read_again_is_not_a_change() -> None:
    assert changes([step("read", DATABASE, DATABASE)]) == []


def test_an_imported_object_is_adopted_and_a_step_that_is_unknown_is_named() -> None:
    adopted, unknown = all_consequences(step("import", None, DATABASE)), all_consequences(step("discard", DISK, None))
    assert adopted == ["Adopted: this object must exist already, and belongs to the stack from then on"]
    assert unknown == ["The engine's step is `discard`, whose consequences the report doesn't know"]


def test_an_option_of_the_engine_that_changes_is_an_update() -> None:
    was = step("same", DISK, DISK, retainOnDelete=True)
    del was["newState"]["retainOnDelete"]
    found = only(was)
    assert (found.action, found.differences) == (Action.UPDATED, (Difference("retainOnDelete", True, False),))
    assert consequences(found, [found]) == ["No longer retained: deleted, with its data, when it leaves the stack"]


def test_the_three_steps_of_a_replacement_are_one_change() -> None:
    larger = machine("multi-tier-database-0", IMAGE, DATA, memory="4Gi")
    found = only(*replacement(DATABASE, larger, "spec.template.spec.domain.memory.guest"))
    assert found.action is Action.REPLACED
    assert found.differences == (Difference("spec.template.spec.domain.memory.guest", "2Gi", "4Gi"),)


def test_a_changed_secret_shows_no_value() -> None:
    secret = manifest("Secret", "multi-tier-database-0-cloud-init", stringData=SECRET)
    found = only(step("update", secret, secret, "stringData.userdata"))
    assert found.differences == (Difference("data.userdata", SECRET, SECRET),)
    plain = [manifest("Secret", "a", stringData={"password": word}) for word in ("former", "latter")]
    assert "former" not in str(only(step("update", plain[0], plain[1], "stringData.password")))


def test_a_replaced_machine_loses_its_root_disk_and_keeps_its_data_disk() -> None:
    assert all_consequences(*replacement(DATABASE, DATABASE)) == [
        "Reason: changed user data, which cloud-init applies on first boot only",
        "**Data lost**: everything written to the root disk (containerDisk)",
        DATA_KEPT,
        "Downtime: from the stop of the old machine until the new one is ready",
    ]


def test_a_pool_rolls_only_if_its_machines_change() -> None:
    def pool(mark: str, replicas: int = 3) -> dict[str, Any]:
        volumes = [{"name": "root", "containerDisk": {"image": IMAGE}}]
        template = {"metadata": {"annotations": {"hash": mark}}, "spec": {"volumes": volumes}}
        spec = {
            "replicas": replicas,
            "maxUnavailable": "25%",
            "virtualMachineTemplate": {"spec": {"template": template}},
        }
        return manifest("VirtualMachinePool", "multi-tier-web-pool", spec=spec)

    lost = "**Data lost**: everything written to the root disk (containerDisk)"
    assert all_consequences(step("update", pool("a"), pool("b"))) == [
        lost,
        "Rolling change: KubeVirt drains and restarts at most `25%` of the machines at a time",
    ]
    assert all_consequences(step("update", pool("a"), pool("a", replicas=5))) == []
    assert all_consequences(step("delete", pool("a"), None)) == [lost]


def test_a_tier_whose_machines_wait_for_each_other_rolls() -> None:
    def member(name: str, *after: str) -> list[dict[str, Any]]:
        state = machine(name, IMAGE)
        state["metadata"]["labels"] = {"app.kubernetes.io/component": name.rpartition("-")[0]}
        urns = [step("same", None, machine(one))["urn"] for one in after]
        return [one | {"newState": one["newState"] | {"dependencies": urns}} for one in replacement(state, state)]

    behind = "database-0"  # each machine waits for the tier behind its own, too
    web = [*member("web-0", behind), *member("web-1", behind), *member("web-2", behind, "web-0")]
    steps = [*web, *member(behind)]
    found = changes(steps)
    downtime = {change.name: consequences(change, found)[-1] for change in found}

    assert downtime == {
        "web-0": "Rolling change: drained and replaced first, while other machines of the tier serve",
        "web-1": "Rolling change: drained and replaced first, while other machines of the tier serve",
        "web-2": "Rolling change: drained and replaced once `web-0` is ready, while other machines of the tier serve",
        "database-0": "Downtime: from the stop of the old machine until the new one is ready",
    }


def test_a_clone_is_deleted_with_its_machine() -> None:
    clone = {"name": "root", "dataVolume": {"name": "multi-tier-web-0-root"}}
    web = machine("multi-tier-web-0", clone, dataVolumeTemplates=[{"metadata": {"name": "multi-tier-web-0-root"}}])
    assert all_consequences(step("delete", web, None)) == [
        "**Data lost**: root disk (DataVolume `multi-tier-web-0-root`, a clone that is deleted with the machine)"
    ]


def test_a_data_disk_that_is_deleted_too_is_lost() -> None:
    found = all_consequences(*replacement(DATABASE, DATABASE), step("delete", DISK, None))
    assert "**Data lost**: data disk (DataVolume `multi-tier-database-0-data` is deleted too)" in found
    assert "**Data lost**: everything on this disk" in found


def test_a_retained_disk_keeps_its_data() -> None:
    found = all_consequences(step("delete", DATABASE, None), step("delete", DISK, None, retainOnDelete=True))
    assert DATA_KEPT in found
    assert "Retained: stays in the cluster, but the stack no longer manages it" in found


def test_a_deleted_namespace_loses_its_contents_and_a_new_password_replaces_no_machine() -> None:
    namespace = manifest("Namespace", "multi-tier")
    password = {"length": 32}
    found = all_consequences(step("delete", namespace, None), *replacement(password, {"length": 40}, "length"))
    assert found == [
        "**Data lost**: everything in this namespace",
        "New password: the database and the application take it over while they run; no machine is replaced",
    ]


def test_cdi_will_reject_a_changed_data_volume_spec() -> None:
    larger = manifest("DataVolume", "multi-tier-database-0-data", spec={"storage": {"size": "4Gi"}})
    (found,) = all_consequences(step("update", DISK, larger, "spec.storage.size"))
    assert "CDI will reject this" in found


def test_renaming_a_disk_loses_the_old_one() -> None:
    renamed = manifest("DataVolume", "another-database-0-data", spec={"storage": {"size": "2Gi"}})
    steps = [step("replace", DISK, renamed, "metadata.name")]
    assert "**Data lost**: data disk (DataVolume `multi-tier-database-0-data` is deleted too)" in all_consequences(
        *steps, *replacement(DATABASE, machine("another-database-0", IMAGE))
    )


SCALE = "multi-tier.kubevirt.io/pgbench-scale"
LOST_TABLES = (
    "**Data lost**: all accounts and history on the data disk (DataVolume `multi-tier-database-0-data`), "
    "which the setup recreates at scale `20` instead of `10`"
)


def disk(scale: str | None) -> dict[str, Any]:
    found = deepcopy(DISK)
    found["metadata"]["annotations"] = {SCALE: scale} if scale else {}
    return found


def test_a_changed_scale_loses_the_accounts_and_the_history_on_the_disk_that_stays() -> None:
    found = all_consequences(step("update", disk("10"), disk("20")), *replacement(DATABASE, DATABASE))
    assert LOST_TABLES in found
    assert (
        "**Data lost**: all accounts and history on this disk, which the setup recreates at scale `20` instead of `10`"
        in found
    )
    assert "Data kept" not in str(found)


@pytest.mark.parametrize(("old", "new"), [(None, None), (None, "20"), ("10", None)])
def test_a_base_without_the_annotation_has_the_scale_of_its_settings(old: str | None, new: str | None) -> None:
    steps = [step("update" if old != new else "same", disk(old), disk(new)), *replacement(DATABASE, DATABASE)]
    found = changes(steps, scales=("10", "20"))
    assert LOST_TABLES in [text for change in found for text in consequences(change, found)]


@pytest.mark.parametrize("scales", [("10", "10"), (None, None), ("default", "20")])
def test_the_same_scale_keeps_the_data(scales: tuple[str | None, str | None]) -> None:
    found = changes([step("same", disk("10"), disk("10")), *replacement(DATABASE, DATABASE)], scales)
    assert DATA_KEPT in [text for change in found for text in consequences(change, found)]
