"""The base's stacks, deployed to the control plane and kept there for the next preview against the same base."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.config import Lab
from lab.files import write_private
from preview.checkout import Program
from preview.cluster import Cluster
from preview.engine import Stack

_PREFIX = "preview-"
# The keys of the stack's own backend. No setting is encrypted, so nothing in the file needs them.
_BACKEND_KEYS = re.compile(r"^(encryptionsalt|secretsprovider|encryptedkey):.*\n?", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Deployed:
    """A stack of the base.

    Attributes:
        token: Name of the directory with the stack's state, and prefix of its namespaces in the control plane, which
            all stacks share.
        refusal: Why the base can't be deployed; empty if it was. A refused base leaves an empty stack.
    """

    token: str
    refusal: str = ""

    def alias(self, namespace: str) -> str:
        """Return the name in the control plane of one of the stack's namespaces."""
        return f"{self.token}-{hashlib.sha256(namespace.encode()).hexdigest()[:6]}"


class Baseline:
    """The state of every stack at the base.

    Args:
        lab: The control plane.
        cluster: Its API.
        program: The program at the base.
        commit: Commit of the base.
        scratch: Directory for copies of stack files.
    """

    def __init__(self, lab: Lab, cluster: Cluster, program: Program, commit: str, scratch: Path) -> None:
        self.program = program
        self._lab = lab
        self._cluster = cluster
        self._scratch = scratch
        self._directory = lab.root / "bases" / commit
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)

    def stack(self, program: Program, name: str, deployed: Deployed) -> Stack:
        """Return a stack with the program and settings of either version, in the state of the base."""
        copy = Path(tempfile.mkdtemp(dir=self._scratch)) / f"Pulumi.{name}.yaml"
        if name in program.stacks:
            copy.write_text(_BACKEND_KEYS.sub("", program.stacks[name].read_text()))
        namespace = program.namespace(name)
        if namespace:
            self._cluster.ensure_namespace(deployed.alias(namespace))
        overrides = {f"{program.name}:namespace": deployed.alias(namespace)} if namespace else {}
        return Stack(self._lab, self._directory / deployed.token, name, program.directory, copy, overrides)

    def deploy(self, name: str) -> Deployed:
        """Deploy a stack of the base unless an earlier preview did.

        Raises:
            LabError: The engine failed.
        """
        record = self._directory / f"{name}.json"
        if deployed := self._recorded(record):
            return deployed
        deployed, stack = self._init(name)
        if name in self.program.stacks and (refusal := stack.up()):
            # Not recorded: it may have failed because the machine was busy.
            return self._init(name, refusal)[0]
        write_private(record, json.dumps(asdict(deployed)).encode())
        return deployed

    def remove_others(self) -> None:
        """Remove what earlier previews have kept of other bases, or left half done."""
        for other in self._directory.parent.iterdir():
            if other != self._directory:
                shutil.rmtree(other, ignore_errors=True)
        records = self._directory.glob("*.json")
        kept = tuple(deployed.token for record in records if (deployed := self._recorded(record)))
        for directory in self._directory.glob(f"{_PREFIX}*"):
            if directory.name not in kept:
                shutil.rmtree(directory, ignore_errors=True)
        self._cluster.remove_namespaces(name for name in self._cluster.namespaces(_PREFIX) if not name.startswith(kept))

    def _recorded(self, record: Path) -> Deployed | None:
        """Return what an earlier preview has deployed, or None if the record or the state is missing or torn."""
        try:
            deployed = Deployed(**json.loads(record.read_text()))
            (state,) = (self._directory / deployed.token).glob(".pulumi/stacks/*/*.json")
            whole = isinstance(json.loads(state.read_text())["checkpoint"], dict)
        except (OSError, ValueError, TypeError, KeyError):
            return None
        return deployed if whole else None

    def _init(self, name: str, refusal: str = "") -> tuple[Deployed, Stack]:
        """Create an empty stack with a state and namespaces of its own, out of reach of an engine that still runs."""
        deployed = Deployed(f"{_PREFIX}{secrets.token_hex(4)}", refusal)
        stack = self.stack(self.program, name, deployed)
        stack.init()
        return deployed, stack
