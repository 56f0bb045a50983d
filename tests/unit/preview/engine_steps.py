"""Steps in the format of `pulumi preview --json`."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

Object = dict[str, Any]


def manifest(kind: str, name: str, **fields: Any) -> Object:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name, "namespace": "multi-tier"}, **fields}


def step(op: str, old: Object | None, new: Object | None, *paths: str, **state: Any) -> Object:
    inputs = new or old or {}
    name = inputs.get("metadata", {}).get("name", "password")
    kind = inputs.get("kind", "RandomPassword")
    urn = f"urn:pulumi:lab::multi-tier::kubernetes:v1:{kind}::{name}"
    rest = {"urn": urn, "custom": True, "type": f"kubernetes:v1:{kind}", **state}
    found: Object = {"op": op, "urn": urn, "detailedDiff": {path: {"kind": "update"} for path in paths}}
    if old is not None:
        found["oldState"] = {**rest, "inputs": deepcopy(old)}
    if new is not None:
        found["newState"] = {**rest, "inputs": deepcopy(new)}
    return found


def replacement(old: Object, new: Object, *paths: str) -> list[Object]:
    return [step(op, old, new, *paths) for op in ("delete-replaced", "replace", "create-replacement")]


def machine(name: str, *volumes: Object, memory: str = "2Gi", **spec: Any) -> Object:
    template = {"spec": {"domain": {"memory": {"guest": memory}}, "volumes": list(volumes)}}
    return manifest("VirtualMachine", name, spec={"template": template, **spec})


IMAGE = {"name": "root", "containerDisk": {"image": "localhost/golden"}}
DATA = {"name": "data", "dataVolume": {"name": "multi-tier-database-0-data"}}
DATABASE = machine("multi-tier-database-0", IMAGE, DATA)
