"""What a change costs whoever runs the stack: contents that are lost, and those that stay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from preview.changes import Change, Verdict

_GONE = (Verdict.REPLACED, Verdict.DELETED)


def consequences(change: Change, all_changes: Sequence[Change]) -> list[str]:
    """Return what the replacement or deletion of an object loses and what it leaves, a sentence each."""
    if change.verdict is Verdict.CHANGED and change.kind == "DataVolume":
        # "Cannot update DataVolume Spec" (CDI's own admission webhook, datavolume-validate.go).
        in_spec = any(one.path.startswith("spec") for one in change.differences)
        return ["**on a cluster CDI refuses to change a DataVolume's spec**; CDI isn't asked here"] if in_spec else []
    if change.verdict not in _GONE:
        return []
    if change.retained:
        return ["stays in the cluster, and is the stack's no longer"]
    match change.kind:
        case "VirtualMachine":
            return [*_reason(change), *_disks(change, all_changes), *_absence(change)]
        case "DataVolume" | "PersistentVolumeClaim":
            return ["**lost**: everything on this disk"]
        case "Namespace":
            return ["**lost**: everything in this namespace"]
        case "RandomPassword" if change.verdict is Verdict.REPLACED:
            return ["another password: each machine that has it in its user data is replaced"]
        case "Service" if change.verdict is Verdict.REPLACED:
            kept = change.former_name == change.name
            return ["another cluster address; the name stays" if kept else "another name and cluster address"]
    return []


def _reason(change: Change) -> Iterator[str]:
    if change.verdict is Verdict.REPLACED and not change.differences:
        yield "why: its user data changed, and cloud-init reads it on a machine's first start only"


def _absence(change: Change) -> Iterator[str]:
    if change.verdict is Verdict.REPLACED:
        yield "it doesn't serve from when the old machine stops until the new one is ready"


def _disks(change: Change, all_changes: Iterable[Change]) -> Iterator[str]:
    gone = {(one.kind, one.former_name) for one in all_changes if one.verdict in _GONE and not one.retained}
    spec = change.old.get("spec", {})
    clones = {template.get("metadata", {}).get("name") for template in spec.get("dataVolumeTemplates") or ()}
    for volume in spec.get("template", {}).get("spec", {}).get("volumes") or ():
        disk = f"{volume.get('name')} disk"
        if source := _first(volume, "containerDisk", "emptyDisk", "ephemeral"):
            yield f"**lost**: what was written to the {disk} ({source})"
        elif name := volume.get("dataVolume", {}).get("name"):
            if name in clones:
                yield f"**lost**: the {disk}, DataVolume `{name}`, a clone that goes with the machine"
            elif ("DataVolume", name) in gone:
                yield f"**lost**: the {disk}, DataVolume `{name}`, which goes too"
            else:
                yield f"stays: the {disk}, DataVolume `{name}`, with all that is on it"
        elif name := volume.get("persistentVolumeClaim", {}).get("claimName"):
            verb = "**lost**" if ("PersistentVolumeClaim", name) in gone else "stays"
            yield f"{verb}: the {disk}, PersistentVolumeClaim `{name}`"


def _first(volume: Mapping[str, Any], *kinds: str) -> str:
    return next((kind for kind in kinds if kind in volume), "")
