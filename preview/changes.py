"""The changes that the engine's preview announces, one for each object, and their consequences."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from preview.differences import Difference, differences
from preview.markdown import code, name
from preview.masking import SECRET, is_masked, without_data


class Action(StrEnum):
    """What the engine does to an object."""

    CREATED = "created"
    UPDATED = "updated"
    REPLACED = "replaced"
    DELETED = "deleted"
    IMPORTED = "imported"
    OTHER = "other"


# Every other step is OTHER, so that none of them passes for no change.
_ACTIONS = {
    "create": Action.CREATED,
    "update": Action.UPDATED,
    "same": Action.UPDATED,
    "replace": Action.REPLACED,
    "create-replacement": Action.REPLACED,
    "delete-replaced": Action.REPLACED,
    "import-replacement": Action.REPLACED,
    "read-replacement": Action.REPLACED,
    "delete": Action.DELETED,
    "import": Action.IMPORTED,
}
LOST = "**Data lost**"
_TIER = "app.kubernetes.io/component"  # label of machines
_SCALE = "multi-tier.kubevirt.io/pgbench-scale"  # annotation of the data disk
_REMOVING = (Action.REPLACED, Action.DELETED)
_PROVIDERS = "pulumi:providers:"
_RETAIN = "retainOnDelete"
_OPTIONS = (_RETAIN, "protect")  # the engine's step is "same" if nothing else differs
_STRING_DATA = re.compile(r"^stringData\b")


@dataclass(frozen=True, slots=True)
class Change:
    """A change to one object.

    Attributes:
        action: What the engine does.
        kind: Kubernetes kind, or the last part of the engine's type.
        name: Name in the cluster, or the engine's name.
        old: Properties before the change, secrets masked; empty for a created object.
        new: Properties after the change, secrets masked; empty for a deleted object.
        differences: Properties that differ, for an updated or replaced object.
        retained: Whether the object stays in the cluster when it leaves the stack.
        step: The engine's first step.
        rescaled: How the scale of the database's tables changes; the setup then recreates them on the data disk.
        replaced_after: For a machine of a tier whose others serve meanwhile, the machine that has to be ready before,
            or an empty string if none has; None for any other object.
    """

    action: Action
    kind: str
    name: str
    old: Mapping[str, Any]
    new: Mapping[str, Any]
    differences: tuple[Difference, ...] = ()
    retained: bool = False
    step: str = ""
    rescaled: str = ""
    replaced_after: str | None = None

    @property
    def former_name(self) -> str:
        """The name before the change."""
        return str(self.old.get("metadata", {}).get("name", self.name))


def changes(steps: Sequence[Mapping[str, Any]], scales: tuple[str | None, str | None] = (None, None)) -> list[Change]:
    """Return the changes in the steps of `pulumi preview --json`, in their order.

    Components, the stack itself and providers are left out: they are not objects.

    Args:
        steps: The steps, also of objects that stay the same.
        scales: Scale of the database's tables in both versions' settings, for a data disk that does not record it.
    """
    rescaled = _rescaled(steps, scales)
    by_urn: dict[str, list[Mapping[str, Any]]] = {}
    for step in steps:
        state = step.get("newState") or step.get("oldState") or {}
        is_object = state.get("custom", True) and not _type(step["urn"], state).startswith(_PROVIDERS)
        if is_object and not _is_unchanged(step):
            by_urn.setdefault(step["urn"], []).append(step)
    turns = _turns(steps)
    return [_change(group, rescaled, turns.get(urn)) for urn, group in by_urn.items()]


def _turns(steps: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return which machine each machine of a tier that rolls is replaced after, by URN; empty: after none."""
    states = [step["newState"] for step in steps if step.get("newState")]
    machines = {state["urn"]: state for state in states if state.get("inputs", {}).get("kind") == "VirtualMachine"}
    metadata = {urn: state["inputs"]["metadata"] for urn, state in machines.items()}
    tiers = {urn: found.get("labels", {}).get(_TIER) for urn, found in metadata.items()}

    def preceding(urn: str) -> str:
        before = (one for one in machines[urn].get("dependencies") or () if one in machines)
        return next((metadata[one]["name"] for one in before if tiers[one] == tiers[urn]), "")

    turns = {urn: preceding(urn) for urn in machines}
    rolling = {tiers[urn] for urn, after in turns.items() if after}
    return {urn: after for urn, after in turns.items() if tiers[urn] in rolling}


def _rescaled(steps: Sequence[Mapping[str, Any]], scales: tuple[str | None, str | None]) -> str:
    """Return how the scale of the database's tables changes, or an empty string."""
    recorded = _scale(steps, "oldState"), _scale(steps, "newState")
    before, after = recorded if all(recorded) else scales
    return f"at scale {code(after)} instead of {code(before)}" if before and after and before != after else ""


def _scale(steps: Iterable[Mapping[str, Any]], side: str) -> str | None:
    for step in steps:
        inputs = (step.get(side) or {}).get("inputs", {})
        annotations = inputs.get("metadata", {}).get("annotations") or {}
        if inputs.get("kind") == "DataVolume" and _SCALE in annotations:
            return str(annotations[_SCALE])
    return None


def _type(urn: str, state: Mapping[str, Any]) -> str:
    return str(state.get("type") or urn.split("::")[2].rpartition("$")[2])


def _is_unchanged(step: Mapping[str, Any]) -> bool:
    old, new = step.get("oldState") or {}, step.get("newState") or {}
    match step["op"]:
        case "same":
            return not _changed_options(old, new)
        case "read":  # an object of others, which each preview reads again
            return bool(old) and all(old.get(key) == new.get(key) for key in ("id", "inputs"))
    return False


def _changed_options(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    pairs = [(option, bool(old.get(option)), bool(new.get(option))) for option in _OPTIONS]
    return [Difference(option, before, after) for option, before, after in pairs if before != after]


def _change(steps: list[Mapping[str, Any]], rescaled: str, replaced_after: str | None) -> Change:
    actions = [_ACTIONS.get(step["op"], Action.OTHER) for step in steps]
    action = Action.REPLACED if Action.REPLACED in actions else actions[0]
    old, new = _state(steps, "oldState"), _state(steps, "newState")
    before = {} if action is Action.CREATED else _properties(old)
    after = {} if action is Action.DELETED else _properties(new)
    found: list[Difference] = []
    if before and after:
        found = differences(before, after)
        known = {one.path for one in found}
        # A changed secret is masked on both sides, so that only the engine knows that it differs.
        paths = {_STRING_DATA.sub("data", path) for step in steps for path in step.get("detailedDiff") or ()}
        secret = (path for path in sorted(paths - known) if is_masked(before, path) and is_masked(after, path))
        found += [Difference(path, SECRET, SECRET) for path in secret]
        found += _changed_options(old, new)
    urn, state = steps[0]["urn"], new or old
    inputs = state.get("inputs", {})
    return Change(
        action=action,
        kind=inputs.get("kind") or _type(urn, state).rpartition(":")[2],
        name=inputs.get("metadata", {}).get("name") or urn.rpartition("::")[2],
        old=before,
        new=after,
        differences=tuple(found),
        retained=bool(old.get(_RETAIN)),
        step=steps[0]["op"],
        rescaled=rescaled,
        replaced_after=replaced_after,
    )


def _state(steps: list[Mapping[str, Any]], side: str) -> Mapping[str, Any]:
    return next((step[side] for step in steps if step.get(side)), {})


def _properties(state: Mapping[str, Any]) -> dict[str, Any]:
    # Keys that start with two underscores belong to the provider.
    inputs = {key: value for key, value in state.get("inputs", {}).items() if not key.startswith("__")}
    return without_data(inputs) if inputs.get("kind") == "Secret" else inputs


def consequences(change: Change, all_changes: Sequence[Change]) -> list[str]:
    """Return what a change means for the person who runs the stack: lost and kept data, downtime, new addresses."""
    if change.action not in _REMOVING:
        return list(_lesser_consequences(change))
    if change.retained:
        return ["Retained: stays in the cluster, but the stack no longer manages it"]
    match change.kind:
        case "VirtualMachine":
            return list(_machine_consequences(change, all_changes))
        case "VirtualMachinePool":
            return list(_disks(_template(change.old), set(), ""))
        case "DataVolume" | "PersistentVolumeClaim":
            return [f"{LOST}: everything on this disk"]
        case "Namespace":
            return [f"{LOST}: everything in this namespace"]
        case "RandomPassword" if change.action is Action.REPLACED:
            return [
                "New password: the database and the application take it over while they run; no machine is replaced"
            ]
        case "Service" if change.action is Action.REPLACED:
            renamed = change.former_name != change.name
            return ["New name and cluster IP" if renamed else "New cluster IP, same name"]
    return []


def _lesser_consequences(change: Change) -> Iterator[str]:
    """Yield the consequences of a change that removes no object."""
    match change.action:
        case Action.IMPORTED:
            yield "Adopted: this object must exist already, and belongs to the stack from then on"
        case Action.OTHER:
            yield f"The engine's step is {code(change.step)}, whose consequences the report doesn't know"
        case Action.UPDATED:
            # "Cannot update DataVolume Spec" (CDI's datavolume-validate.go).
            if change.kind == "DataVolume" and any(one.path.startswith("spec") for one in change.differences):
                yield "**CDI will reject this**: a DataVolume's spec is immutable (not checked here)"
            if (
                change.kind == "DataVolume"
                and any(_SCALE in one.path for one in change.differences)
                and change.rescaled
            ):
                yield f"{LOST}: all accounts and history on this disk, which the setup recreates {change.rescaled}"
            if change.kind == "VirtualMachinePool" and _template(change.old) != _template(change.new):
                yield from _disks(_template(change.old), set(), "")
                most = code(str(change.new["spec"]["maxUnavailable"]))
                yield f"Rolling change: KubeVirt drains and restarts at most {most} of the machines at a time"
            if any(one.path == _RETAIN and one.old for one in change.differences):
                yield "No longer retained: deleted, with its data, when it leaves the stack"


def _machine_consequences(change: Change, all_changes: Iterable[Change]) -> Iterator[str]:
    replaced = change.action is Action.REPLACED
    if replaced and not change.differences:
        yield "Reason: changed user data, which cloud-init applies on first boot only"
    removed = {(one.kind, one.former_name) for one in all_changes if one.action in _REMOVING and not one.retained}
    yield from _disks(change.old.get("spec", {}), removed, change.rescaled if replaced else "")
    if replaced and change.replaced_after is not None:
        turn = f"once {code(change.replaced_after)} is ready" if change.replaced_after else "first"
        yield f"Rolling change: drained and replaced {turn}, while other machines of the tier serve"
    elif replaced:
        yield "Downtime: from the stop of the old machine until the new one is ready"


def _template(pool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the spec of a pool's machines."""
    found: Mapping[str, Any] = pool.get("spec", {}).get("virtualMachineTemplate", {}).get("spec", {})
    return found


def _disks(spec: Mapping[str, Any], removed: set[tuple[str, str]], rescaled: str) -> Iterator[str]:
    clones = {template.get("metadata", {}).get("name") for template in spec.get("dataVolumeTemplates") or ()}
    for volume in spec.get("template", {}).get("spec", {}).get("volumes") or ():
        disk = f"{name(str(volume.get('name')))} disk"
        if source := next((kind for kind in ("containerDisk", "emptyDisk", "ephemeral") if kind in volume), ""):
            yield f"{LOST}: everything written to the {disk} ({source})"
        elif claim := volume.get("dataVolume", {}).get("name"):
            if claim in clones:
                yield f"{LOST}: {disk} (DataVolume {code(claim)}, a clone that is deleted with the machine)"
            elif ("DataVolume", claim) in removed:
                yield f"{LOST}: {disk} (DataVolume {code(claim)} is deleted too)"
            elif rescaled:
                tables = f"all accounts and history on the {disk} (DataVolume {code(claim)})"
                yield f"{LOST}: {tables}, which the setup recreates {rescaled}"
            else:
                yield f"Data kept: {disk} (DataVolume {code(claim)})"
        elif claim := volume.get("persistentVolumeClaim", {}).get("claimName"):
            fate = LOST if ("PersistentVolumeClaim", claim) in removed else "Data kept"
            yield f"{fate}: {disk} (PersistentVolumeClaim {code(claim)})"
