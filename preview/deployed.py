"""The base of a stack as state: deployed once to the control plane, kept for the next preview of the same base."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from lab.config import Lab
from preview.checkout import Base, Program
from preview.cluster import Cluster
from preview.engine import Stack

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_ALIAS = "preview-"
# What ties a stack's file to the key of its own backend. No setting is secret, so nothing in the file needs that key.
_KEYS = re.compile(r"^(encryptionsalt|secretsprovider|encryptedkey):.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Deployed:
    """One stack as its base has it.

    Attributes:
        token: begins the names of the namespaces that it has in the control plane, where all stacks meet.
        refusal: why the base can't be deployed itself; then nothing of it is.
    """

    token: str
    refusal: str = ""

    def alias(self, namespace: str) -> str:
        """Return what one of the stack's namespaces is called in the control plane."""
        return f"{self.token}-{hashlib.sha256(namespace.encode()).hexdigest()[:6]}"


def places(lab: Lab) -> Path:
    """Return the directory in which each base has its own, with the stacks' state."""
    return lab.root / "bases"


class Side:
    """One version of the program, as it is deployed to the control plane.

    Attributes:
        program: the version.
        place: directory for the state and for what is known of it.
        scratch: directory for copies of stack files, which the engine writes to.
    """

    def __init__(self, lab: Lab, program: Program, place: Path, scratch: Path) -> None:
        self.program = program
        self._lab = lab
        self._place = place
        self._scratch = scratch

    def has(self, stack: str) -> bool:
        """Whether this version has a file for the stack."""
        return stack in self.program.stacks

    def namespace(self, stack: str) -> str | None:
        """Return the namespace that the stack's objects live in; None where the setting is none that could be."""
        try:
            document: Any = yaml.safe_load(self.program.stacks[stack].read_text())
            found = (document.get("config") or {}).get(f"{self.program.name}:namespace", self.program.default_namespace)
        except (KeyError, OSError, AttributeError, ValueError, yaml.YAMLError):
            return None  # the engine will say it better
        return found if isinstance(found, str) and _LABEL.fullmatch(found) else None

    def stack(self, stack: str, deployed: Deployed) -> Stack:
        """Return the stack with this version's program and settings."""
        copy = Path(tempfile.mkdtemp(dir=self._scratch)) / f"Pulumi.{stack}.yaml"
        if self.has(stack):
            copy.write_text(_KEYS.sub("", self.program.stacks[stack].read_text()))
        namespace = self.namespace(stack)
        overrides = {f"{self.program.name}:namespace": deployed.alias(namespace)} if namespace else {}
        return Stack(self._lab, self._place / "backend", stack, self.program.directory, copy, overrides)


def deploy(base: Side, cluster: Cluster, place: Path, stack: str) -> Deployed:
    """Deploy a stack's base, unless a former preview did.

    Raises:
        PreviewError: the engine failed.
    """
    record = place / f"{stack}.json"
    try:
        return Deployed(**json.loads(record.read_text()))
    except (OSError, ValueError, TypeError):
        _forget(place, stack)
    deployed = Deployed(f"{_ALIAS}{secrets.token_hex(4)}")
    deployment = base.stack(stack, deployed)
    deployment.make()
    if base.has(stack):
        if namespace := base.namespace(stack):
            cluster.ensure_namespace(deployed.alias(namespace))
        if refusal := deployment.up():
            _forget(place, stack)
            deployed = Deployed(f"{_ALIAS}{secrets.token_hex(4)}", refusal)
            base.stack(stack, deployed).make()
            return deployed  # and not kept: it may have been for want of time
    record.write_text(json.dumps(asdict(deployed)))
    return deployed


def place_of(lab: Lab, base: Base) -> Path:
    """Return the directory of one base, made where it isn't there."""
    place = places(lab) / base.commit
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    return place


def forget_others(lab: Lab, cluster: Cluster, place: Path) -> None:
    """Remove what former previews left of other bases."""
    for other in places(lab).iterdir():
        if other != place:
            shutil.rmtree(other, ignore_errors=True)
    kept = tuple(json.loads(record.read_text())["token"] for record in place.glob("*.json"))
    cluster.remove_namespaces(name for name in cluster.namespaces(_ALIAS) if not _begins(name, kept))


def _begins(name: str, tokens: Iterable[str]) -> bool:
    return any(name.startswith(token) for token in tokens)


def _forget(place: Path, stack: str) -> None:
    """Remove a stack's state; its namespaces are removed with the next base's."""
    for path in (place / "backend").glob(f".pulumi/**/{stack}.*"):
        path.unlink(missing_ok=True)
